"""What each axis is worth over a whole grid, and which of them interact: `python -m analysis.effects`.

python -m analysis.effects               own results
python -m analysis.effects --published   the paper's 76 models with 16 scores each

Effects are in points on the mean over the benchmarks of a category, or over all categories, against the most
frequent level of the axis. Intervals count other runs and other benchmarks alike as chance; Holm's correction
is among the levels of one axis. Grids may have gaps: an effect that cannot be told from another is named.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import pandas as pd

from analysis.command import add_store_options, first_look, read_frame
from analysis.designs import AXES
from analysis.errors import AnalysisError
from analysis.grid_model import Column, GridModel, interaction_columns, levels_of, main_columns
from analysis.paired import holm
from analysis.published import AVERAGE, CATEGORIES, benchmarks, recipe_models
from analysis.style import write_csv
from analysis.text import align, p_value


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One choice against another, or how much two choices are worth more together than by themselves."""

    score: str
    """A category, or the average of all."""
    axes: str
    """One axis, or two joined by ` x `; each is a family of its own in Holm's correction."""
    effect: str
    against: str
    points: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    p: float
    p_holm: float
    runs: int
    benchmarks: int


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What `effects_of` found."""

    effects: tuple[Effect, ...]
    notes: tuple[str, ...]
    """What is not estimated and why, and which noise the intervals know."""


def published_frame() -> pd.DataFrame:
    """The paper's 76 models in the columns that `effects_of` reads."""
    return pd.DataFrame(
        [
            {
                "run": str(number),
                "seed": 0,
                "encoder": model.encoder,
                "adapter": model.adapter,
                "vision": model.vision,
                "instruct": model.instruct.lower(),
                "connector": "mlp",
                "llm": "vicuna_7b",
                "benchmark": name,
                "category": category,
                "score": model.scores[name],
            }
            for number, model in enumerate(recipe_models())
            for category, names in benchmarks().items()
            for name in names
        ]
    )


def effects_of(frame: pd.DataFrame, *, interactions: bool = True) -> Effects:
    """Estimate main effects, and two-way interactions, of all axes that vary.

    Args:
        frame: one row per run and benchmark: run, seed, the axes of a design, benchmark, category, score.
        interactions: whether each pair of axes is tried, one pair at a time beside all main effects.

    Raises:
        AnalysisError: if no run has all benchmarks, or no axis varies.
    """
    table, runs, categories, notes = _whole(frame)
    if table.empty:
        raise AnalysisError("\n  ".join(["no run has all benchmarks, so that none can be compared", *notes]))
    axes = [axis for axis in AXES if runs[axis].nunique() > 1]
    if not axes:
        raise AnalysisError("all runs have the same design, so that no axis has an effect to estimate")
    mains = main_columns(runs, axes)
    added = [interaction_columns(runs, *pair) for pair in combinations(axes, 2) if interactions]
    found: list[Effect] = []
    faults: list[str] = []
    for score, names in _scores(categories).items():
        values = _weighted(table, names, categories)
        for columns, wanted in [(mains, mains), *(([*mains, *more], more) for more in added)]:
            model = GridModel.fit(runs, values, columns)
            if not model.freedom:
                what = "all main effects" if wanted is mains else _axes(wanted[0])
                faults.append(f"{what}: as many parameters as runs, so that nothing tells their noise")
                continue
            here = [_effect(score, model, column, runs) for column in wanted]
            faults += [one for one in here if isinstance(one, str)]
            found += _corrected([one for one in here if isinstance(one, Effect)])
    return Effects(effects=tuple(found), notes=(*notes, *dict.fromkeys(faults), _noise(runs)))


def _whole(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str], list[str]]:
    """Scores (runs, benchmarks) without gaps, the axes of runs, benchmark -> category, what is left out."""
    table = frame.pivot(index="run", columns="benchmark", values="score")
    rare = table.columns[table.notna().mean() < 0.5]
    table = table.drop(columns=rare)
    lacking = table.index[table.isna().any(axis=1)]
    table = table.drop(index=lacking)
    runs = frame.drop_duplicates("run").set_index("run").loc[table.index].astype(dict.fromkeys(AXES, "str"))
    categories = dict(zip(frame["benchmark"], frame["category"], strict=True))
    notes = [f"{name} is left out: fewer than half of the runs have it" for name in rare]
    if len(lacking):
        notes.append(
            f"{len(lacking)} of {len(table) + len(lacking)} runs are left out: they lack a benchmark"
        )
    return table, runs, categories, notes


def _scores(categories: dict[str, str]) -> dict[str, list[str]]:
    """Score -> the categories that it is the mean of."""
    there = [name for name in CATEGORIES if name in categories.values()]
    return {**{name: [name] for name in there}, **({AVERAGE: there} if len(there) > 1 else {})}


def _weighted(table: pd.DataFrame, names: Sequence[str], categories: dict[str, str]) -> np.ndarray:
    """Scores (runs, benchmarks) whose mean over benchmarks is the mean over the categories `names`.

    Benchmarks of a small category weigh more than those of a large one, so each is scaled by its weight.
    """
    groups = [[one for one in table.columns if categories[one] == name] for name in names]
    groups = [group for group in groups if group]
    count = sum(len(group) for group in groups)
    columns = [table[one] * count / len(groups) / len(group) for group in groups for one in group]
    return np.stack([column.to_numpy(dtype=float) for column in columns], axis=1)


def _corrected(effects: Sequence[Effect]) -> list[Effect]:
    """With Holm's correction among the levels of each axis, or the pairs of levels of two."""
    found: list[Effect] = []
    for axes in dict.fromkeys(one.axes for one in effects):
        family = [one for one in effects if one.axes == axes]
        corrected = holm([one.p for one in family])
        found += [replace(one, p_holm=p) for one, p in zip(family, corrected, strict=True)]
    return found


def _effect(score: str, model: GridModel, column: Column, runs: pd.DataFrame) -> Effect | str:
    """The effect of one parameter, or why there is none."""
    place = model.columns.index(column)
    contrast = np.eye(len(model.columns))[place]
    if not model.design[:, 1 + place].any():
        return f"{column} is not estimated: no run has it"
    against = " & ".join(f"{axis}={levels_of(runs, axis)[0]}" for axis, _ in column.levels)
    confounded = model.confounded(contrast)
    if confounded is not None:
        others = ", ".join(str(one) for one in confounded[:3]) or "the others"
        return f"{column} is not estimated: these runs do not tell it from {others}"
    points, variance = model.estimate(contrast)
    half, p = variance.quantile() * variance.error, variance.p_value(points)
    return Effect(
        score=score,
        axes=_axes(column),
        effect=str(column),
        against=against,
        points=points,
        low=points - half,
        high=points + half,
        p=p,
        p_holm=p,
        runs=len(model.scores),
        benchmarks=model.scores.shape[1],
    )


def _axes(column: Column) -> str:
    return " x ".join(axis for axis, _ in column.levels)


def _noise(runs: pd.DataFrame) -> str:
    """Which noise the intervals know."""
    twice = runs.groupby(list(AXES)).size().gt(1).sum()
    if twice:
        return f"noise of training: from seeds of {twice} designs, and from what the model does not fit"
    return "noise of training: no design has two seeds, so it is what the model does not fit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the effects; 2 if there are none to estimate."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.effects",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser)
    parser.add_argument("--published", action="store_true", help="the paper's models in place of own results")
    parser.add_argument("--all", action="store_true", help="also interactions that are not resolved")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row per effect here, too")
    options = parser.parse_args(arguments)
    if options.published and (options.store or options.only or options.runs or options.proxy != 1):
        parser.error("--published takes the paper's numbers; the other options choose among own results")
    try:
        if options.published:
            frame = published_frame()
        else:
            frame = read_frame(options.store, options.only, runs=options.runs, proxy=options.proxy)
        found = effects_of(frame)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    source = "published scores" if options.published else "own results"
    print(f"{first_look(options.proxy)}Effects in {source}, in points\n\n{_text(found, every=options.all)}")
    if options.csv:
        write_csv(pd.DataFrame([asdict(one) for one in found.effects]), options.csv)
        print(options.csv)
    return 0


def _text(found: Effects, *, every: bool) -> str:
    blocks = []
    for score in dict.fromkeys(one.score for one in found.effects):
        here = [one for one in found.effects if one.score == score]
        shown = [one for one in here if every or "&" not in one.effect or one.p_holm < 0.05]
        rows = [[CATEGORIES.get(score, score), "against", "effect", "95 % interval", "p (Holm)"]]
        for one in shown:
            low_high = f"[{one.low:+.1f}, {one.high:+.1f}]"
            rows.append([one.effect, one.against, f"{one.points:+.1f}", low_high, p_value(one.p_holm)])
        hidden = len(here) - len(shown)
        more = f"\n{hidden} interactions are not resolved; --all shows them" if hidden else ""
        blocks.append(align(rows) + more)
    return "\n\n".join([*blocks, "\n".join(f"note: {note}" for note in found.notes)])


if __name__ == "__main__":
    sys.exit(main())
