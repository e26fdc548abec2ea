"""Figure 15: how benchmarks go together: Pearson's correlation of their scores over models.

python analysis/plot_fig15.py               own results
python analysis/plot_fig15.py --published   the paper's 76 models, 16 benchmarks
python analysis/plot_fig15.py --both        below the diagonal the paper's, above it own results at its scale

Benchmarks stand by category, in the paper's order. The CSV has 95 % intervals over models (Fisher's z).
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

from analysis.correlation import LEAST, correlate, interval, score_table, whole_rows
from analysis.errors import AnalysisError
from analysis.figure import FigureCommand, Picture, run_figure
from analysis.heatmap import SIZE, draw_cells, name_columns, rule
from analysis.lines import Line, published_lines
from analysis.material import Material
from analysis.published import CATEGORIES, benchmark_titles, benchmarks, recipe_models
from analysis.statistics import mean
from analysis.style import new_figure
from analysis.text import align


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    return run_figure(COMMAND, arguments)


def all_lines() -> tuple[Line, ...]:
    """The paper's 76 models with all benchmarks."""
    return published_lines(recipe_models())


def _draw(material: Material) -> Picture:
    groups = benchmarks() if material.own is None else material.own.benchmarks
    names = [name for ids in groups.values() for name in ids]
    matrices, counts = _matrices(material, names)
    shown = _shown(matrices)
    subtitle = (
        material.describe("all recipes, Vicuna-1.5-7B", bars="") + f"; Pearson's r x 100 over {_over(counts)}"
    )
    figure = new_figure(5.9 if len(names) > 8 else 4.4, material.title, subtitle)
    axes = figure.subplots()
    texts = [[f"{100 * r:.0f}" if np.isfinite(r) else "" for r in row] for row in shown]
    cells = draw_cells(axes, shown, texts, colors="PuOr", ends=(-1, 1), size=6.5)
    sizes = [len(ids) for ids in groups.values()]
    for along in ("rows", "columns"):
        rule(axes, sizes, along=along)
    titles = benchmark_titles(names, material.partial)
    name_columns(axes, titles, {CATEGORIES[name]: len(ids) for name, ids in groups.items()})
    axes.set_yticks(range(len(names)), titles, fontsize=SIZE)
    bar = figure.colorbar(cells, ax=axes, shrink=0.5, aspect=25, pad=0.015)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(labelsize=6.5, width=0.4)
    bar.set_label("Pearson's r", fontsize=7)
    return Picture(
        figure=figure,
        points=_to_frame(matrices, counts, names),
        text=align(_table(matrices, groups, names)),
        notes=_notes(material, counts, _constant(matrices, names)),
    )


def _matrices(material: Material, names: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Source -> correlations, and over how many models.

    Raises:
        AnalysisError: if too few models have all benchmarks.
    """
    matrices, counts = {}, {}
    sources = {"published": material.published, "own": material.own.lines if material.own else ()}
    for source, lines in sources.items():
        if not lines:
            continue
        table = whole_rows(score_table(lines, names))
        if len(table) < LEAST:
            raise AnalysisError(
                f"{len(table)} models have all {len(names)} benchmarks; a correlation needs {LEAST}\n"
                f"  make some:              {COMMAND.fill}\n"
                f"  or the paper's numbers: python analysis/{COMMAND.script} --published"
            )
        matrices[source], counts[source] = correlate(table), len(table)
    return matrices, counts


def _shown(matrices: Mapping[str, np.ndarray]) -> np.ndarray:
    """What is drawn: the one matrix, or published below the diagonal and own above."""
    if len(matrices) == 1:
        return next(iter(matrices.values()))
    return np.tril(matrices["published"]) + np.triu(matrices["own"], 1)


def _over(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return f"{next(iter(counts.values()))} models"
    return f"{counts['published']} published models (below the diagonal), {counts['own']} own (above)"


def _to_frame(
    matrices: Mapping[str, np.ndarray], counts: Mapping[str, int], names: Sequence[str]
) -> pd.DataFrame:
    """One row per pair of benchmarks."""
    rows = []
    for source, matrix in matrices.items():
        for first, one in enumerate(names):
            for second, other in enumerate(names[:first]):
                r = float(matrix[first, second])
                low, high = interval(r, counts[source]) if math.isfinite(r) else (math.nan, math.nan)
                rows.append(
                    {
                        "benchmark": one,
                        "other": other,
                        "correlation": r,
                        "low": low,
                        "high": high,
                        "models": counts[source],
                        "source": source,
                    }
                )
    return pd.DataFrame(rows)


def _table(
    matrices: Mapping[str, np.ndarray], groups: Mapping[str, Sequence[str]], names: Sequence[str]
) -> list[list[str]]:
    """Mean correlation of different benchmarks, category by category."""
    rows = [["mean correlation", "source", *(CATEGORIES[name] for name in groups)]]
    for source, matrix in matrices.items():
        for one, mine in groups.items():
            cells = [_mean(matrix, names, mine, theirs) for theirs in groups.values()]
            rows.append([CATEGORIES[one], source, *cells])
    return rows


def _mean(matrix: np.ndarray, names: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> str:
    found = [
        float(matrix[names.index(one), names.index(other)])
        for one in mine
        for other in theirs
        if one != other
    ]
    there = [r for r in found if math.isfinite(r)]
    return f"{mean(there):+.2f}" if there else "-"


def _constant(matrices: Mapping[str, np.ndarray], names: Sequence[str]) -> list[str]:
    """Benchmarks that have the same score in all models of a source."""
    return [
        name
        for place, name in enumerate(names)
        if any(math.isnan(matrix[place, place]) for matrix in matrices.values())
    ]


def _notes(material: Material, counts: Mapping[str, int], constant: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if constant:
        notes.append(f"the same score in all models, so without correlation: {', '.join(constant)}")
    if material.published:
        notes.append(
            "all 76 models of the paper's recipe table are in, with every recipe; which of them are in the "
            "paper's own figure, it does not say"
        )
    own = material.own.lines if material.own else ()
    if own and counts["own"] < len(own):
        notes.append(f"{len(own) - counts['own']} models without all benchmarks are left out")
    if own and counts["own"] < 20:
        notes.append(f"over {counts['own']} models correlations are rough: see their intervals in the CSV")
    return tuple(notes)


COMMAND = FigureCommand(
    number=15,
    about=__doc__ or "",
    published=all_lines,
    draw=_draw,
    fill="python run.py -m sweep=fig6",
    beside="and the published ones",
)

if __name__ == "__main__":
    sys.exit(main())
