"""Figure 17: change of the score from a frozen to an unfrozen encoder, in per cent, by encoder and benchmark.

python analysis/plot_fig17.py               own results; what the intervals do not resolve is grey
python analysis/plot_fig17.py --published   the paper's 15 pairs of models
python analysis/plot_fig17.py --both        own results at the paper's scale below the published ones

The last column of a category and the last rows are means of the cells.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import pandas as pd

from analysis.errors import AnalysisError
from analysis.figure import FigureCommand, Picture, run_figure
from analysis.heatmap import draw_cells, name_columns, rule
from analysis.lines import DESIGN, Line, published_lines
from analysis.material import Material
from analysis.missing import Cell, cells_of, fill_notes
from analysis.published import CATEGORIES, benchmarks, recipe_models
from analysis.statistics import Estimate, mean, mean_of_benchmarks, mean_of_models, percent_change
from analysis.style import LOOKS, new_figure, supervision_handles
from analysis.text import align

MEAN = "mean"
ENDS = 30.0
"""Per cent at the ends of the colours; beyond it the number alone tells."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row: a pair of models that differ in freezing alone, or the mean of several pairs."""

    label: str
    supervision: str
    source: str
    cells: Mapping[str, Estimate]
    """Benchmark -> change in per cent; absent where one of the two has no score, or the frozen one has 0."""
    pairs: int
    runs: tuple[str, ...] = ()

    def mean(self, ids: Sequence[str]) -> Estimate | None:
        """Of the cells of `ids`; none if one is absent."""
        if not ids or any(name not in self.cells for name in ids):
            return None
        return mean_of_benchmarks([self.cells[name] for name in ids])


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    return run_figure(COMMAND, arguments)


def all_lines() -> tuple[Line, ...]:
    """The paper's 76 models with all benchmarks."""
    return published_lines(recipe_models())


def find_changes(lines: Sequence[Line]) -> list[Change]:
    """Every pair of `lines` that differ in freezing alone, by supervision."""
    frozen = {_rest(line): line for line in lines if line.design["vision"] == "frozen"}
    changes = []
    for line in lines:
        before = frozen.get(_rest(line))
        if line.design["vision"] == "frozen" or before is None:
            continue
        cells = {
            name: change
            for name, point in line.scores.items()
            if name in before.scores
            and (change := percent_change(before.scores[name].estimate, point.estimate)) is not None
        }
        changes.append(
            Change(
                label=_label(line, lines),
                supervision=line.supervision,
                source=line.source,
                cells=cells,
                pairs=1,
                runs=(*before.runs, *line.runs),
            )
        )
    kinds = list(LOOKS)
    return sorted(changes, key=lambda one: (one.source != "published", kinds.index(one.supervision)))


def mean_change(changes: Sequence[Change], label: str, supervision: str) -> Change:
    """The mean of `changes`, benchmark by benchmark, over those that have a cell."""
    cells = {}
    for name in dict.fromkeys(name for one in changes for name in one.cells):
        cells[name] = mean_of_models([one.cells[name] for one in changes if name in one.cells])
    return Change(
        label=f"{label} ({len(changes)})",
        supervision=supervision,
        source=changes[0].source,
        cells=cells,
        pairs=len(changes),
    )


def _rest(line: Line) -> tuple[str, ...]:
    """What the two models of a pair share."""
    axes = [axis for axis in DESIGN if axis != "vision"]
    return (line.source, line.encoder, line.scale, *(line.design[axis] for axis in axes))


def _label(line: Line, lines: Sequence[Line]) -> str:
    """Encoder, and what tells this pair from others of the same source."""
    peers = [other for other in lines if other.source == line.source]
    unfrozen = [other for other in peers if other.design["vision"] != "frozen"]
    words = [line.encoder]
    for axis in DESIGN:
        common = line.design[axis] == unfrozen[0].design[axis] or axis == "vision"
        if len({other.design[axis] for other in unfrozen}) > 1 and (line.source == "own" or not common):
            words.append(line.design[axis])
    return " ".join(
        [*words, *(["(own)"] if len({other.source for other in lines}) > 1 and line.source == "own" else [])]
    )


def _draw(material: Material) -> Picture:
    groups = benchmarks() if material.own is None else material.own.benchmarks
    changes = find_changes(material.lines)
    if not any(one.source == "own" for one in changes) and material.own:
        raise AnalysisError(
            "no two results differ in freezing alone, so there is no change to show\n"
            f"  make some:              {COMMAND.fill}\n"
            f"  or the paper's numbers: python analysis/{COMMAND.script} --published"
        )
    means = _means(changes)
    rows = [*changes, *means]
    estimates = [_cells(one, groups) for one in rows]
    subtitle = (
        "change of the score in per cent when instruction tuning also trains the encoder; "
        + material.describe("1.2M adapter data, 737K instruction data (two pairs: 5M), Vicuna-1.5-7B")
    ).replace("bars: 95 % intervals", "bold: the 95 % interval is on one side of 0")
    handles = supervision_handles(one.supervision for one in changes)
    figure = new_figure(0.95 + 0.2 * len(rows), material.title, subtitle, handles)
    axes = figure.subplots()
    values = np.array([[each.score if each else np.nan for each in row] for row in estimates])
    strong = np.array([[_resolved(each) for each in row] for row in estimates]) if material.own else None
    texts = [[_text(each) for each in row] for row in estimates]
    image = draw_cells(axes, values, texts, colors="PuOr", ends=(-ENDS, ENDS), size=6, strong=strong)
    rule(axes, [len(ids) + 1 for ids in groups.values() if ids] + [1], along="columns")
    rule(axes, [len(changes), len(means)], along="rows")
    names = [name for ids in groups.values() if ids for name in (*ids, MEAN)]
    titles = {CATEGORIES[name]: len(ids) + 1 for name, ids in groups.items() if ids}
    name_columns(axes, [*names, "mean of all"], titles)
    axes.set_yticks(range(len(rows)), [one.label for one in rows], fontsize=6.5)
    for tick, one in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color(LOOKS[one.supervision].color if one.supervision in LOOKS else "black")
        tick.set_fontweight("bold" if one.pairs > 1 else "normal")
    bar = figure.colorbar(
        image, ax=axes, orientation="horizontal", shrink=0.4, aspect=40, pad=0.02, extend="both"
    )
    bar.ax.tick_params(labelsize=6.5, width=0.4)
    bar.set_label("change, %", fontsize=7)
    return Picture(
        figure=figure,
        points=_to_frame(rows, groups),
        text=align(_table(rows, groups)),
        notes=(*_published_notes(material), *_missing(material)),
    )


def _means(changes: Sequence[Change]) -> list[Change]:
    """Of each supervision, and of all, of each source; of a single pair there is none."""
    found = []
    sources = list(dict.fromkeys(one.source for one in changes))
    for source in sources:
        mine = [one for one in changes if one.source == source]
        word = f"{source}: " if len(sources) > 1 else ""
        for kind, look in LOOKS.items():
            group = [one for one in mine if one.supervision == kind]
            if group:
                found.append(mean_change(group, f"{word}{look.name}", kind))
        found.append(mean_change(mine, f"{word}all", "all"))
    return found


def _cells(one: Change, groups: Mapping[str, Sequence[str]]) -> list[Estimate | None]:
    """Cells of a row: the benchmarks of each category and their mean, and the mean of all."""
    cells: list[Estimate | None] = []
    for ids in groups.values():
        if ids:
            cells += [*(one.cells.get(name) for name in ids), one.mean(ids)]
    return [*cells, one.mean([name for ids in groups.values() for name in ids])]


def _resolved(estimate: Estimate | None) -> bool:
    """Whether the interval is on one side of 0."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return False
    return estimate.low > 0 or estimate.high < 0


def _text(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.score:.1f}" if abs(estimate.score) < 99.95 else f"{estimate.score:.0f}"


def _to_frame(rows: Sequence[Change], groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """One row per cell; a gap keeps its row, without a change."""
    ids = [name for group in groups.values() for name in group]
    columns = [
        *((category, name) for category, group in groups.items() for name in (*group, MEAN) if group),
        ("all", MEAN),
    ]
    records = []
    for one in rows:
        for category, name in columns:
            group = ids if category == "all" else groups[category]
            estimate = one.mean(group) if name == MEAN else one.cells.get(name)
            records.append(
                {
                    "row": one.label,
                    "supervision": one.supervision,
                    "pairs": one.pairs,
                    "category": category,
                    "benchmark": name,
                    "percent_change": estimate.score if estimate else math.nan,
                    "low": estimate.low if estimate else None,
                    "high": estimate.high if estimate else None,
                    "source": one.source,
                    "runs": " ".join(one.runs),
                }
            )
    return pd.DataFrame(records)


def _table(rows: Sequence[Change], groups: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Means over each category, and over all benchmarks."""
    found = [["mean change, %", *(CATEGORIES[name] for name in groups), "all benchmarks"]]
    ids = [name for group in groups.values() for name in group]
    for one in rows:
        found.append([one.label, *(_signed(one.mean(group)) for group in (*groups.values(), ids))])
    return found


def _signed(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.score:+.1f}"
    return f"{estimate.score:+.1f} [{estimate.low:+.1f}, {estimate.high:+.1f}]"


def _published_notes(material: Material) -> tuple[str, ...]:
    if not material.published:
        return ()
    rest = mean([_without(one, "mmvp") for one in find_changes(material.published)])
    return (
        "means are of cells, so that small scores weigh heavily: without MMVP the mean of all is "
        f"{rest:+.1f} %. Which means the paper's own figure has, it does not say",
    )


def _without(one: Change, benchmark: str) -> float:
    return mean([estimate.score for name, estimate in one.cells.items() if name != benchmark])


def _missing(material: Material) -> tuple[str, ...]:
    own = material.own.lines if material.own else ()
    cells: list[Cell] = []
    for line in own:
        visions = {other.design["vision"] for other in own if _rest(other) == _rest(line)}
        if line.supervision == "control":
            continue
        if "frozen" not in visions:
            cells += cells_of(line, vision="frozen")
        elif visions == {"frozen"}:
            cells += cells_of(line, vision="unfrozen")
    return fill_notes("the other model of some pairs", cells)


COMMAND = FigureCommand(
    number=17,
    about=__doc__ or "",
    published=all_lines,
    draw=_draw,
    fill="python run.py -m encoder=siglip,dinov2 vision=frozen,unfrozen",
)

if __name__ == "__main__":
    sys.exit(main())
