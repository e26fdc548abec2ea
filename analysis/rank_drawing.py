"""The picture of places: categories on x, place on y from the best down, one line per encoder or run."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.ranks import AVERAGE, COLUMNS, Ranked
from analysis.style import LOOKS, new_figure, supervision_handles

ROW = 0.155
"""Inches from one place to the next."""

PALE = 0.3
"""Strength of published lines where own ones are over them."""


def draw_ranks(ranked: Sequence[Ranked], title: str, subtitle: str) -> Figure:
    """Draw `ranked`, one row per place, with names at the place in the average."""
    handles = supervision_handles(one.line.supervision for one in ranked)
    figure = new_figure(0.45 + ROW * len(ranked), title, subtitle, handles)
    axes = figure.subplots()
    size = len(ranked)
    axes.set_ylim(size + 0.6, 0.4)
    axes.set_xlim(-0.2, len(COLUMNS) - 0.8)
    axes.set_yticks(range(1, size + 1))
    axes.set_xticks(range(len(COLUMNS)), list(COLUMNS.values()))
    axes.tick_params(axis="both", length=0)
    axes.set_ylabel("place")
    axes.spines[["left", "bottom"]].set_visible(False)
    for place in range(1, size + 1, 2):
        axes.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
    own = [one for one in ranked if one.line.source == "own"]
    step = min(0.04, 0.34 / max(len(own) - 1, 1))
    shifts = {id(one): step * (index - (len(own) - 1) / 2) for index, one in enumerate(own)}
    for row, one in enumerate(ranked, start=1):
        pale = bool(own) and one.line.source == "published"
        _draw_line(axes, one, shifts.get(id(one), 0.0), row, pale=pale)
    return figure


def _draw_line(axes: Axes, one: Ranked, shift: float, row: int, *, pale: bool) -> None:
    """Draw the places of `one`; its name stands in `row`, its own even where several share a place."""
    look = LOOKS[one.line.supervision]
    top = AVERAGE in one.places and one.places[AVERAGE].place <= 3
    heights = [one.places[name].place if name in one.places else float("nan") for name in COLUMNS]
    axes.plot(
        [index + shift for index in range(len(COLUMNS))],
        heights,
        color=look.color,
        marker=look.marker,
        linestyle=look.dashes,
        linewidth=1.6 if top else 0.8,
        markersize=4.6 if top else 3.4,
        markeredgewidth=0,
        alpha=PALE if pale else 1.0 if top else 0.7,
    )
    for index, name in enumerate(COLUMNS):
        place = one.places.get(name)
        if place and place.first is not None and place.last is not None:
            axes.vlines(index + shift, place.first, place.last, color=look.color, linewidth=0.7, alpha=0.8)
    axes.text(
        *(len(COLUMNS) - 0.75, row, one.line.label),
        color=look.color,
        fontsize=7,
        fontweight="bold" if top else "normal",
        alpha=0.65 if pale else 1.0,
        va="center_baseline",
        clip_on=False,
    )
