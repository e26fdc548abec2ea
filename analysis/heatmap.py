"""Tables as pictures: a coloured cell for each number, with rules between groups of rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

SIZE, LETTER = 6.5, 3.9
"""Points: of names of benchmarks, and the width of a letter, at most, of which they take up."""
GAP = "#EDEDED"
"""Of a cell without a number."""


def draw_cells(
    axes: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    *,
    colors: str,
    ends: tuple[float, float],
    size: float,
    resolved: Sequence[Sequence[bool | None]] | None = None,
) -> AxesImage:
    """Colour `values` (rows, columns) from one of `ends` to the other, write `texts` into them.

    What is `resolved` is bold, what is not is grey; None is neither.
    """
    scale = colormaps[colors].with_extremes(bad=GAP)
    image = axes.imshow(values, cmap=scale, vmin=ends[0], vmax=ends[1], aspect="auto")
    low, high = ends
    for row, words in enumerate(texts):
        for column, word in enumerate(words):
            share = (values[row, column] - low) / (high - low)
            dark = _is_dark(image, share) if np.isfinite(share) else False
            sure = resolved[row][column] if resolved else None
            axes.text(
                *(column, row, word),
                fontsize=size,
                ha="center",
                va="center_baseline",
                color=("#EEEEEE" if dark else "#5C5C5C") if sure is False else ("white" if dark else "black"),
                fontweight="bold" if sure else "normal",
            )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def _is_dark(image: AxesImage, share: float) -> bool:
    """Whether white is easier to read than black on the colour at `share` of the scale."""
    red, green, blue, _ = image.cmap(min(max(share, 0.0), 1.0))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.6


def rule(axes: Axes, groups: Sequence[int], *, along: Literal["rows", "columns"]) -> None:
    """Draw white rules between `groups`, given by how many rows or columns each has."""
    draw = axes.axhline if along == "rows" else axes.axvline
    for end in np.cumsum(groups)[:-1]:
        draw(float(end) - 0.5, color="white", linewidth=2.5)


def name_columns(axes: Axes, shown: Sequence[str], groups: Mapping[str, int]) -> None:
    """Write the titles `shown` of benchmarks above the columns, and above those the names of their groups."""
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(shown)), shown, rotation=90, fontsize=SIZE)
    height = LETTER * max(map(len, shown)) + 12
    start = 0
    for title, count in groups.items():
        axes.annotate(
            title,
            (start + (count - 1) / 2, 1),
            (0, height),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            fontsize=7,
            fontweight="bold",
            ha="center",
            annotation_clip=False,
        )
        start += count
