"""What stands behind the lines of Figure 6: levels of chance and of no image, noise below the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from analysis.lines import Line
from analysis.published import CATEGORIES
from analysis.statistics import mean

NOISE = "#F0E442"
"""Colour of the band in which a point may differ from the best by chance."""
NOISE_STRENGTH = 0.45
LEVEL_REACH = 0.24
"""Half the width of a level's bar; categories are 1 apart."""


def draw_levels(axes: Axes, lines: Sequence[Line]) -> None:
    """A short bar per category: chance, and the mean of the runs without the image with their range."""
    for place, category in enumerate(CATEGORIES):
        points = [line.points[category] for line in lines if category in line.points]
        chance = [point.chance for point in points if point.chance is not None]
        blind = [point.blind for point in points if point.blind is not None]
        ends = (place - LEVEL_REACH, place + LEVEL_REACH)
        if chance:
            axes.plot(
                ends, [mean(chance)] * 2, color="black", linewidth=1.0, linestyle=(0, (1, 1)), zorder=1.5
            )
        if blind:
            axes.fill_between(
                ends, min(blind), max(blind), color="#BDBDBD", linewidth=0, alpha=0.55, zorder=1
            )
            axes.plot(
                ends, [mean(blind)] * 2, color="#4D4D4D", linewidth=1.4, zorder=1.4, solid_capstyle="butt"
            )


def draw_noise(axes: Axes, lines: Sequence[Line], floors: Mapping[str, float]) -> None:
    """A band below the best own point of each category: what is in it may differ from the best by chance.

    `floors` are points by category, as `analysis.power.noise_floor` gives them.
    """
    for place, category in enumerate(CATEGORIES):
        own = [line.points[category] for line in lines if line.source == "own" and category in line.points]
        if own and category in floors:
            best = max(point.estimate.score for point in own)
            ends = (place - LEVEL_REACH, place + LEVEL_REACH)
            axes.fill_between(
                ends,
                best - floors[category],
                best,
                color=NOISE,
                linewidth=0,
                alpha=NOISE_STRENGTH,
                zorder=0.9,
            )
