"""The picture of principal components: a bubble per benchmark, in its category's colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.components import Components
from analysis.published import benchmark_titles
from analysis.style import CATEGORY_LOOKS, spread

HEIGHT = 3.6
"""Inches of the figure below its title."""
AREA = 1200.0
"""Of all bubbles together, in square points."""
LABEL_GAP = 0.135
"""Inches from one label to the next."""
EDGE = 0.09
"""From the outermost places to the ends of the axes; correlations have no unit."""


def draw_components(
    axes: Axes,
    found: Components,
    names: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    sizes: Mapping[str, int],
) -> None:
    """Draw the place of each of `names` on the two components, areas after `sizes`, in the panel `axes`."""
    axes.axhline(0, color="#C9C9C9", linewidth=0.5, zorder=0)
    place = {
        name: (x, y) for name, (x, y) in zip(names, found.places.tolist(), strict=True) if not math.isnan(x)
    }
    total = sum(sizes[name] for name in place)
    category_of = {name: category for category, ids in groups.items() for name in ids}
    for name in sorted(place, key=lambda name: -sizes[name]):  # small ones over large ones
        look = CATEGORY_LOOKS[category_of[name]]
        axes.scatter(
            *place[name],
            s=max(AREA * sizes[name] / total, 6.0),
            color=look.color,
            marker=look.marker,
            alpha=0.8,
            edgecolor="white",
            linewidth=0.5,
            zorder=2,
        )
    lows, highs = np.nanmin(found.places, axis=0) - EDGE, np.nanmax(found.places, axis=0) + EDGE
    axes.set_xlim(lows[0], highs[0])
    axes.set_ylim(lows[1], highs[1])
    axes.set_xlabel(f"component 1 ({100 * found.shares[0]:.0f} % of the variance)")
    axes.set_ylabel(f"component 2 ({100 * found.shares[1]:.0f} %)")
    _label_places(axes, place, category_of)
    axes.legend(
        handles=[
            Line2D(
                [], [], linestyle="none", marker=look.marker, color=look.color, markersize=5, label=look.name
            )
            for look in CATEGORY_LOOKS.values()
        ],
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=4,
        frameon=False,
        fontsize=6.5,
        handletextpad=0.1,
        columnspacing=0.6,
        borderaxespad=0.2,
    )


def _label_places(axes: Axes, place: Mapping[str, Sequence[float]], category_of: Mapping[str, str]) -> None:
    """Names in a column at the right, led to their places."""
    low, high = axes.get_ylim()
    right = axes.get_xlim()[1]
    width = right - axes.get_xlim()[0]
    gap = LABEL_GAP * (high - low) / (HEIGHT - 0.75)
    heights = spread([y for _, y in place.values()], gap, low, high)
    for (name, (x, y)), height in zip(place.items(), heights, strict=True):
        axes.plot(
            [x, right + 0.02 * width, right + 0.05 * width],
            [y, height, height],
            color=CATEGORY_LOOKS[category_of[name]].color,
            linewidth=0.5,
            clip_on=False,
            zorder=1,
        )
        (title,) = benchmark_titles([name])
        axes.text(*(right + 0.065 * width, height, title), fontsize=6.5, va="center_baseline")
