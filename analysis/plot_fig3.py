"""Figure 3: how much benchmarks measure vision, and which of them measure the same.

python analysis/plot_fig3.py               own results: score, score without the image, and chance
python analysis/plot_fig3.py --published   the paper's scores; its tables have none without the image
python analysis/plot_fig3.py --both        own results at the paper's scale over the published ones

Left: means over models, benchmarks sorted by what the image is worth. Right: principal components over
models, each benchmark standardised; a place is a benchmark's correlation with the first two components, an
area its number of images (own results: of questions).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.component_drawing import HEIGHT, draw_components
from analysis.components import Components, find_components
from analysis.correlation import LEAST, score_table, whole_rows
from analysis.figure import FigureCommand, Picture, run_figure
from analysis.levels import Level, find_levels
from analysis.lines import Line, published_lines
from analysis.material import Material
from analysis.published import CATEGORIES, benchmark_images, benchmark_titles, benchmarks, recipe_models
from analysis.style import CATEGORY_LOOKS, new_figure
from analysis.text import align


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    return run_figure(COMMAND, arguments)


def all_lines() -> tuple[Line, ...]:
    """The paper's 76 models with all benchmarks."""
    return published_lines(recipe_models())


def _draw(material: Material) -> Picture:
    groups = benchmarks() if material.own is None else material.own.benchmarks
    shown = [line for line in material.published if line.design["adapter"] == "0M"]
    published = find_levels(shown, groups, material.answers) if shown else []
    own = find_levels(material.own.lines, groups, material.answers) if material.own else []
    names = [name for ids in groups.values() for name in ids]
    whole = whole_rows(score_table(material.lines, names))
    found = find_components(whole) if len(whole) >= LEAST else None
    sizes = benchmark_images() if material.published or material.own is None else material.own.questions
    figure = new_figure(HEIGHT, material.title, _subtitle(material, published, len(whole)))
    left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.08])
    _draw_levels(left, own or published, published if own else [], material.partial)
    if found is None:
        right.set_axis_off()
        words = f"principal components need\n{LEAST} models with all benchmarks;\nthere are {len(whole)}"
        right.text(0.5, 0.5, words, transform=right.transAxes, ha="center", va="center", color="#444444")
    else:
        draw_components(right, found, names, groups, sizes)
    return Picture(
        figure=figure,
        points=_to_frame([*own, *published], found, names, sizes),
        text=align(_table([*own, *published])),
        notes=_notes(material, len(whole), _unplaced(found, names)),
    )


def _subtitle(material: Material, published: Sequence[Level], models: int) -> str:
    if material.own is None:
        left = f"left: {published[0].models} encoders at 0M adapter data, their mean, worst and best"
    else:
        left = f"left: means of {len(material.own.lines)} models"
    return material.describe("Vicuna-1.5-7B") + f"; {left}; right: over {models} models"


def _draw_levels(
    axes: Axes, levels: Sequence[Level], under: Sequence[Level], partial: Collection[str]
) -> None:
    """One row per benchmark; `under` are published levels below own ones."""
    rows = {one.benchmark: row for row, one in enumerate(levels)}
    for one in under:
        axes.plot(one.on.score, rows[one.benchmark], "d", color="#B0B0B0", markersize=4, zorder=2)
    for row, one in enumerate(levels):
        _draw_level(axes, row, one)
    titles = benchmark_titles([one.benchmark for one in levels], partial)
    axes.set_yticks(range(len(levels)), titles, fontsize=7)
    axes.set_ylim(len(levels) - 0.4, -0.6)
    axes.set_xlim(0, 124 if levels[0].off is not None else 100)
    axes.set_xticks(range(0, 101, 20))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("score")
    axes.legend(
        handles=_handles(levels, under),
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=4,
        frameon=False,
        fontsize=6.5,
        handletextpad=0.1,
        columnspacing=0.6,
        borderaxespad=0.2,
    )


def _draw_level(axes: Axes, row: int, one: Level) -> None:
    look = CATEGORY_LOOKS[one.category]
    if one.off is None:
        axes.hlines(row, one.lowest, one.highest, color=look.color, linewidth=0.8, alpha=0.7)
    else:
        axes.hlines(row, one.off, one.on.score, color="#C4C4C4", linewidth=2.2, zorder=1)
        axes.plot(
            *(one.off, row), look.marker, color=look.color, markersize=4.5, markerfacecolor="white", zorder=3
        )
    axes.plot(one.on.score, row, look.marker, color=look.color, markersize=4.8, zorder=4)
    if one.on.low is not None and one.on.high is not None:
        axes.hlines(row, one.on.low, one.on.high, color=look.color, linewidth=0.9, zorder=2)
    if one.chance is not None:
        axes.plot(one.chance, row, "|", color="black", markersize=7, markeredgewidth=1.1, zorder=3)
    if one.difference is not None:
        place = axes.get_yaxis_transform()
        axes.annotate(
            f"{one.difference:+.1f}", (1.0, row), xycoords=place, fontsize=6.5, ha="right", va="center"
        )


def _handles(levels: Sequence[Level], under: Sequence[Level]) -> list[Line2D]:
    marks = [("o", "#444444", "#444444", "with the image")]
    if levels[0].off is not None:
        marks += [("o", "#444444", "white", "without"), ("|", "black", "black", "chance")]
    if under:
        marks.append(("d", "#B0B0B0", "#B0B0B0", "published"))
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            color=edge,
            markerfacecolor=face,
            markersize=5,
            label=label,
        )
        for marker, edge, face, label in marks
    ]


def _to_frame(
    levels: Sequence[Level], found: Components | None, names: Sequence[str], sizes: Mapping[str, int]
) -> pd.DataFrame:
    """One row per benchmark and source; the components are of all models together."""
    places = dict(zip(names, found.places.tolist(), strict=True)) if found else {}
    return pd.DataFrame(
        [
            {
                "benchmark": one.benchmark,
                "category": one.category,
                "score": one.on.score,
                "low": one.on.low,
                "high": one.on.high,
                "lowest_model": one.lowest,
                "highest_model": one.highest,
                "blind": one.off,
                "chance": one.chance,
                "difference": one.difference,
                "models": one.models,
                "component_1": places[one.benchmark][0] if places else None,
                "component_2": places[one.benchmark][1] if places else None,
                "size": sizes[one.benchmark],
                "source": one.source,
            }
            for one in levels
        ]
    )


def _table(levels: Sequence[Level]) -> list[list[str]]:
    rows = [["benchmark", "category", "source", "models", "score", "blind", "chance", "difference"]]
    for one in levels:
        cells = ["-" if each is None else f"{each:.1f}" for each in (one.on.score, one.off, one.chance)]
        gain = "-" if one.difference is None else f"{one.difference:+.1f}"
        rows.append([one.benchmark, CATEGORIES[one.category], one.source, str(one.models), *cells, gain])
    return rows


def _unplaced(found: Components | None, names: Sequence[str]) -> list[str]:
    """Benchmarks with the same score in all models, which components say nothing of."""
    places = found.places.tolist() if found else []
    return [name for name, (first, _) in zip(names, places, strict=False) if math.isnan(first)]


def _notes(material: Material, whole: int, unplaced: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if unplaced:
        notes.append(f"the same score in all models, so without a place at the right: {', '.join(unplaced)}")
    if material.published:
        notes.append(
            "the paper draws scores without the image and chance, but prints neither, so that they are not "
            "here and benchmarks are sorted by score; own results have both"
        )
    if material.own and whole < LEAST:
        notes.append(
            f"missing: principal components need {LEAST} models with all benchmarks, and there are {whole}; "
            f"to fill it:\n  {COMMAND.fill}"
        )
    return tuple(notes)


COMMAND = FigureCommand(
    number=3,
    about=__doc__ or "",
    published=all_lines,
    draw=_draw,
    fill="python run.py -m sweep=fig6",
)

if __name__ == "__main__":
    sys.exit(main())
