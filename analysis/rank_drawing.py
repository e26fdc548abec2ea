"""The picture of places: categories on x, place on y from the best down, one line per encoder or run."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.ranks import AVERAGE, COLUMNS, Ranked
from analysis.style import LOOKS, new_figure, supervision_handles

ROW = 0.155
"""Inches from one place to the next."""


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
    step = min(0.04, 0.3 / max(size - 1, 1))
    for index, one in enumerate(ranked):
        shift = step * (index - (size - 1) / 2) if one.line.source == "own" else 0.0
        _draw_line(axes, one, shift, index + 1)
    return figure


def _draw_line(axes: Axes, one: Ranked, shift: float, row: int) -> None:
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
        alpha=1.0 if top else 0.7,
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
        va="center_baseline",
        clip_on=False,
    )
