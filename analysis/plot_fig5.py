"""Figure 5: scores by training recipe, category and supervision, as box plots.

python analysis/plot_fig5.py               own results, every model with its interval
python analysis/plot_fig5.py --published   the paper's models under its four recipes
python analysis/plot_fig5.py --both        own results at the paper's scale over the published ones

A box holds the middle half of the models, its bar is their median, and whiskers reach to the lowest and the
highest. Of fewer than five models there is no box, only they themselves and the median.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figure import FigureCommand, Picture, run_figure
from analysis.lines import DESIGN, Line, published_lines, to_frame
from analysis.material import Material
from analysis.missing import Cell, fill_notes
from analysis.published import CATEGORIES, category_only_models, recipe_models
from analysis.style import LOOKS, new_figure, partial_handle, supervision_handles
from analysis.text import align, by_size

Recipe = tuple[str, str]
"""Adapter data and whether the encoder trains."""
RECIPES: tuple[Recipe, ...] = (("0M", "frozen"), ("0.5M", "frozen"), ("1.2M", "frozen"), ("1.2M", "unfrozen"))
"""The paper's."""
LEAST = 5
"""Models that a box is drawn of."""
BOX, SPAN = 0.2, 0.84
"""Greatest width of a box, and what all boxes of a recipe take; recipes are 1 apart."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    return run_figure(COMMAND, arguments)


def recipe_lines() -> tuple[Line, ...]:
    """The paper's models of the four recipes: 737K instruction data."""
    models = [*recipe_models(), *category_only_models()]
    return published_lines([model for model in models if model.instruct == "737K"])


def _draw(material: Material) -> Picture:
    lines = material.lines
    recipes = sorted({_recipe(line) for line in lines}, key=_order)
    kinds = [kind for kind in LOOKS if kind in {line.supervision for line in lines}]
    subtitle = material.describe("737K instruction data, Vicuna-1.5-7B")
    handles = [*supervision_handles(kinds), *([partial_handle()] if material.partial else [])]
    figure = new_figure(4.0, material.title, subtitle, handles)
    panels = figure.subplots(2, 2, sharex=True)
    for axes, (category, name) in zip(panels.flat, CATEGORIES.items(), strict=True):
        _draw_panel(axes, lines, category, recipes, kinds)
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
    for axes in panels[:, 0]:
        axes.set_ylabel("average score")
    for axes in panels[-1]:
        axes.set_xticks(
            range(len(recipes)), [_tick(lines, recipe, kinds) for recipe in recipes], fontsize=6.5
        )
        axes.set_xlabel("adapter data, freezing, models of each colour", fontsize=6.5)
    return Picture(
        figure=figure,
        points=_to_frame(lines),
        text=align(_table(lines, recipes, kinds)),
        notes=(*_published_notes(material), *_own_notes(material)),
    )


def _recipe(line: Line) -> Recipe:
    return line.design["adapter"], line.design["vision"]


def _order(recipe: Recipe) -> tuple[bool, tuple[float, str], str]:
    """Frozen before unfrozen, less data before more, data that have another name last."""
    adapter, vision = recipe
    return vision != "frozen", by_size(adapter), vision


def _models(lines: Sequence[Line], recipe: Recipe, kind: str, category: str) -> list[Line]:
    """From worst to best."""
    found = [
        line
        for line in lines
        if _recipe(line) == recipe and line.supervision == kind and category in line.points
    ]
    return sorted(found, key=lambda line: line.points[category].estimate.score)


def _tick(lines: Sequence[Line], recipe: Recipe, kinds: Sequence[str]) -> str:
    adapter, vision = recipe
    counts = [sum(_recipe(line) == recipe and line.supervision == kind for line in lines) for kind in kinds]
    return f"{adapter}\n{vision}\n{', '.join(map(str, counts))}"


def _draw_panel(
    axes: Axes, lines: Sequence[Line], category: str, recipes: Sequence[Recipe], kinds: Sequence[str]
) -> None:
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(recipes) - 0.5)
    step = min(BOX * 1.35, SPAN / len(kinds))
    width = step / 1.35
    for place, recipe in enumerate(recipes):
        if place % 2:
            axes.axvspan(place - 0.5, place + 0.5, color="#F6F6F6", linewidth=0, zorder=0)
        for index, kind in enumerate(kinds):
            x = place + step * (index - (len(kinds) - 1) / 2)
            models = _models(lines, recipe, kind, category)
            own = [line for line in models if line.source == "own"]
            boxed = [line for line in models if line.source == "published"] or own
            _draw_box(axes, x, width, [line.points[category].estimate.score for line in boxed], kind)
            for line, shift in zip(models, _shifts(models, width), strict=True):
                _draw_model(axes, x + shift, line, category, pale=bool(own) and line.source == "published")


def _shifts(models: Sequence[Line], width: float) -> list[float]:
    """Sideways steps to and fro, so that models of like scores do not hide each other."""
    return [width * (0.16 + 0.12 * (index % 3)) * (-1 if index % 2 else 1) for index in range(len(models))]


def _draw_box(axes: Axes, x: float, width: float, scores: Sequence[float], kind: str) -> None:
    if not scores:
        return
    color = LOOKS[kind].color
    if len(scores) < LEAST:
        middle = np.median(scores)
        axes.plot([x - width / 2, x + width / 2], [middle, middle], color=color, linewidth=1.6, zorder=3)
        return
    drawn = axes.boxplot(
        scores,
        positions=[x],
        widths=width,
        whis=(0, 100),
        showcaps=False,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": color, "edgecolor": color, "alpha": 0.28, "linewidth": 0.7},
        whiskerprops={"color": color, "linewidth": 0.7},
        medianprops={"color": color, "linewidth": 1.6},
    )
    for part in (*drawn["boxes"], *drawn["whiskers"]):
        part.set_zorder(1.5)


def _draw_model(axes: Axes, x: float, line: Line, category: str, *, pale: bool) -> None:
    look, point = LOOKS[line.supervision], line.points[category]
    axes.plot(
        *(x, point.estimate.score),
        color=look.color,
        marker=look.marker,
        markersize=2.6,
        markerfacecolor="white" if point.partial else look.color,
        markeredgewidth=0.5 if point.partial else 0,
        alpha=0.35 if pale else 0.9,
        zorder=4,
    )
    if point.estimate.low is not None and point.estimate.high is not None:
        axes.vlines(x, point.estimate.low, point.estimate.high, color=look.color, linewidth=0.6, zorder=2)


def _table(lines: Sequence[Line], recipes: Sequence[Recipe], kinds: Sequence[str]) -> list[list[str]]:
    """Medians, and below them those of the encoders that have every recipe."""
    rows = [["median of", "supervision", "models", *CATEGORIES.values()]]
    whole = _with_every_recipe(lines, recipes)
    for what, chosen in (("", lines), (", with all recipes", whole)):
        for recipe in recipes:
            for kind in kinds:
                here = [line for line in chosen if _recipe(line) == recipe and line.supervision == kind]
                if here:
                    cells = [_median(here, category) for category in CATEGORIES]
                    rows.append([" ".join(recipe) + what, kind, str(len(here)), *cells])
    return rows


def _with_every_recipe(lines: Sequence[Line], recipes: Sequence[Recipe]) -> list[Line]:
    return [
        line
        for line in lines
        if {_recipe(other) for other in lines if _rest(other) == _rest(line)}.issuperset(recipes)
    ]


def _rest(line: Line) -> Mapping[str, str]:
    """What tells a line from those of other recipes."""
    axes = [axis for axis in DESIGN if axis not in ("adapter", "vision")]
    return {
        "source": line.source,
        "encoder": line.encoder,
        "scale": line.scale,
        **{a: line.design[a] for a in axes},
    }


def _median(lines: Sequence[Line], category: str) -> str:
    scores = [line.points[category].estimate.score for line in lines if category in line.points]
    return f"{np.median(scores):.1f}" if scores else "-"


def _to_frame(lines: Sequence[Line]) -> pd.DataFrame:
    frame = to_frame(lines)
    frame.insert(2, "recipe", frame["adapter"] + " " + frame["vision"])
    return frame


def _published_notes(material: Material) -> tuple[str, ...]:
    if not material.published:
        return ()
    return (
        "not every encoder has every recipe in the paper's tables, so boxes of different recipes hold "
        "different encoders; the medians of those that have all are in the table. DINOv2 ViT-L/14@518 at "
        "1.2M is in by its four category means",
    )


def _own_notes(material: Material) -> tuple[str, ...]:
    own = material.own.lines if material.own else ()
    cells: list[Cell] = []
    for line in own:
        there = {_recipe(other) for other in own if _rest(other) == _rest(line)}
        if line.supervision != "control":
            for adapter, vision in RECIPES:
                if (adapter, vision) not in there:
                    cells += material.cells_of(line, adapter=adapter, vision=vision)
    pooled = [
        f"{axis} {', '.join(sorted(values))}"
        for axis in DESIGN
        if axis not in ("adapter", "vision") and len(values := {line.design[axis] for line in own}) > 1
    ]
    several = (f"boxes put together {'; '.join(pooled)}: choose with --only",) if pooled else ()
    return (*several, *fill_notes("recipes of some encoders", cells))


COMMAND = FigureCommand(
    number=5,
    about=__doc__ or "",
    published=recipe_lines,
    draw=_draw,
    fill="python run.py -m sweep=fig5",
)

if __name__ == "__main__":
    sys.exit(main())
