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
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import pandas as pd

from analysis.answers import Answers, Sum
from analysis.changes import Change, find_changes, mean_change, pair_of, without_percent
from analysis.errors import AnalysisError
from analysis.figure import FigureCommand, Picture, run_figure
from analysis.heatmap import draw_cells, name_columns, rule
from analysis.lines import Line, published_lines
from analysis.material import Material
from analysis.missing import Cell, fill_notes
from analysis.published import CATEGORIES, benchmark_titles, benchmarks, recipe_models
from analysis.statistics import Estimate, mean
from analysis.style import LOOKS, new_figure, supervision_handles
from analysis.text import align

MEAN, ALL = "mean", "all"
SOURCES = ("published", "own")
ENDS = 30.0
"""Per cent at the ends of the colours; beyond it the number alone tells."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    return run_figure(COMMAND, arguments)


def all_lines() -> tuple[Line, ...]:
    """The paper's 76 models with all benchmarks."""
    return published_lines(recipe_models())


def _draw(material: Material) -> Picture:
    groups = benchmarks() if material.own is None else material.own.benchmarks
    changes = find_changes(material.lines, material.answers)
    if not any(one.source == "own" for one in changes) and material.own:
        raise AnalysisError(
            "no two results differ in freezing alone, so there is no change to show\n"
            f"  make some:              {COMMAND.fill}\n"
            f"  or the paper's numbers: python analysis/{COMMAND.script} --published"
        )
    means = _means(changes)
    rows = [*changes, *means]
    odd = without_percent(material.lines)
    counted = {category: [name for name in ids if name not in odd] for category, ids in groups.items()}
    estimates = [_estimates(_cells(one, groups, counted), material.answers) for one in rows]
    subtitle = (
        "change of the score in per cent when instruction tuning also trains the encoder; "
        + material.describe(
            "1.2M adapter data, 737K instruction data (two pairs: 5M), Vicuna-1.5-7B",
            bars="bold: the 95 % interval is on one side of 0",
        )
    )
    handles = supervision_handles(one.supervision for one in changes)
    height = 0.95 + 0.2 * len(rows)
    figure = new_figure(height, material.title, subtitle, handles)
    axes = figure.subplots()
    values = np.array([[each.score if each else np.nan for each in row] for row in estimates])
    resolved = [[_resolved(each, one) for each in found] for one, found in zip(rows, estimates, strict=True)]
    texts = [[_text(each) for each in row] for row in estimates]
    cells = draw_cells(axes, values, texts, colors="PuOr", ends=(-ENDS, ENDS), size=6, resolved=resolved)
    rule(axes, [len(ids) + 1 for ids in groups.values() if ids] + [1], along="columns")
    blocks = [sum(one.source == source for one in some) for some in (changes, means) for source in SOURCES]
    rule(axes, [count for count in blocks if count], along="rows")
    names = [name for ids in groups.values() if ids for name in (*ids, MEAN)]
    titles = benchmark_titles([*names, "mean of all"], material.partial)
    name_columns(axes, titles, {CATEGORIES[name]: len(ids) + 1 for name, ids in groups.items() if ids})
    axes.set_yticks(range(len(rows)), [one.label for one in rows], fontsize=6.5)
    for tick, one in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color(LOOKS[one.supervision].color if one.supervision in LOOKS else "black")
        tick.set_fontweight("bold" if one.pairs > 1 else "normal")
    bar = figure.colorbar(
        cells,
        ax=axes,
        orientation="horizontal",
        shrink=0.4,
        aspect=40,
        fraction=0.6 / height,
        pad=0.12 / height,
        extend="both",
    )
    bar.ax.tick_params(labelsize=6.5, width=0.4)
    bar.set_label("change, %", fontsize=7)
    return Picture(
        figure=figure,
        points=_to_frame(rows, groups, estimates),
        text=align(_table(rows, groups, estimates)),
        notes=(*_notes(material, odd), *_missing(material)),
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
            if len(group) > 1:
                found.append(mean_change(group, f"{word}{look.name}", kind))
        found.append(mean_change(mine, f"{word}all", "all"))
    return found


def _cells(
    one: Change, groups: Mapping[str, Sequence[str]], counted: Mapping[str, Sequence[str]]
) -> list[Sum | None]:
    """Cells of a row: the benchmarks of each category and the mean of the counted, and the mean of all."""
    cells: list[Sum | None] = []
    for category, ids in groups.items():
        if ids:
            cells += [*(one.cells.get(name) for name in ids), one.mean(counted[category])]
    return [*cells, one.mean([name for ids in counted.values() for name in ids])]


def _columns(groups: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Category and benchmark of each cell."""
    single = [(category, name) for category, ids in groups.items() if ids for name in (*ids, MEAN)]
    return [*single, (ALL, MEAN)]


def _estimates(cells: Sequence[Sum | None], answers: Answers) -> list[Estimate | None]:
    return [cell and answers.estimate(cell) for cell in cells]


def _resolved(estimate: Estimate | None, row: Change) -> bool | None:
    """Whether the interval is on one side of 0; None for published numbers, which have none."""
    if estimate is None or row.source != "own":
        return None
    return estimate.low is not None and estimate.high is not None and not estimate.low <= 0 <= estimate.high


def _text(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.score:z.1f}" if abs(estimate.score) < 99.95 else f"{estimate.score:.0f}"


def _to_frame(
    rows: Sequence[Change],
    groups: Mapping[str, Sequence[str]],
    estimates: Sequence[Sequence[Estimate | None]],
) -> pd.DataFrame:
    """One row per cell; a gap keeps its row, without a change."""
    records = []
    for one, found in zip(rows, estimates, strict=True):
        for (category, name), estimate in zip(_columns(groups), found, strict=True):
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


def _table(
    rows: Sequence[Change],
    groups: Mapping[str, Sequence[str]],
    estimates: Sequence[Sequence[Estimate | None]],
) -> list[list[str]]:
    """Means over each category, and over all benchmarks."""
    found = [["mean change, %", *(CATEGORIES[name] for name in groups), "all benchmarks"]]
    for one, cells in zip(rows, estimates, strict=True):
        by_column = dict(zip(_columns(groups), cells, strict=True))
        means = [by_column.get((category, MEAN)) for category in (*groups, ALL)]
        found.append([one.label, *map(_signed, means)])
    return found


def _signed(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.score:+.1f}"
    return f"{estimate.score:+.1f} [{estimate.low:+.1f}, {estimate.high:+.1f}]"


def _notes(material: Material, odd: Sequence[str]) -> tuple[str, ...]:
    lost = f"a frozen encoder scores 0, of which nothing is a per cent; left out of means: {', '.join(odd)}"
    notes = (lost,) if odd else ()
    if not material.published:
        return notes
    rest = mean([_without(one, "mmvp") for one in find_changes(material.published, material.answers)])
    return (
        *notes,
        "means are of cells, so that small scores weigh heavily: without MMVP the mean of all is "
        f"{rest:+.1f} %. Which means the paper's own figure has, it does not say",
    )


def _without(one: Change, benchmark: str) -> float:
    return mean([cell.value for name, cell in one.cells.items() if name != benchmark])


def _missing(material: Material) -> tuple[str, ...]:
    """The other halves of pairs, with the data that any encoder was unfrozen with."""
    own = material.own.lines if material.own else ()
    cells: list[Cell] = []
    paired = {
        (one.design["adapter"], one.design["instruct"]) for one in own if one.design["vision"] != "frozen"
    }
    for line in own:
        visions = {other.design["vision"] for other in own if pair_of(other) == pair_of(line)}
        if "frozen" not in visions:
            cells += material.cells_of(line, vision="frozen")
        elif (
            visions == {"frozen"}
            and line.supervision != "control"
            and (line.design["adapter"], line.design["instruct"]) in paired
        ):
            cells += material.cells_of(line, vision="unfrozen")
    return fill_notes("the other model of some pairs", cells)


COMMAND = FigureCommand(
    number=17,
    about=__doc__ or "",
    published=all_lines,
    draw=_draw,
    fill="python run.py -m encoder=siglip,dinov2 vision=frozen,unfrozen",
    beside="below the published ones",
)

if __name__ == "__main__":
    sys.exit(main())
