"""Tables as pictures: a coloured cell for each number, with rules between groups of rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from analysis.published import benchmark_names

TITLE_HEIGHT = 54
"""Points above the cells: where names of groups stand, over upright names of benchmarks."""
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
    strong: np.ndarray | None = None,
) -> AxesImage:
    """Colour `values` (rows, columns) from one of `ends` to the other, write `texts` into them.

    Where `strong` is false the text is thin and grey: what it says is not resolved.
    """
    image = axes.imshow(values, cmap=colors, vmin=ends[0], vmax=ends[1], aspect="auto")
    image.cmap.set_bad(GAP)
    low, high = ends
    for row, words in enumerate(texts):
        for column, word in enumerate(words):
            share = (values[row, column] - low) / (high - low)
            dark = _is_dark(image, share) if np.isfinite(share) else False
            sure = strong is None or bool(strong[row, column])
            axes.text(
                *(column, row, word),
                fontsize=size,
                ha="center",
                va="center_baseline",
                color=("white" if dark else "black") if sure else ("#E0E0E0" if dark else "#7A7A7A"),
                fontweight="bold" if strong is not None and sure else "normal",
            )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def _is_dark(image: AxesImage, share: float) -> bool:
    """Whether white is easier to read than black on the colour at `share` of the scale."""
    red, green, blue, _ = image.cmap(min(max(share, 0.0), 1.0))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.55


def rule(axes: Axes, groups: Sequence[int], *, along: Literal["rows", "columns"]) -> None:
    """Draw white rules between `groups`, given by how many rows or columns each has."""
    draw = axes.axhline if along == "rows" else axes.axvline
    for end in np.cumsum(groups)[:-1]:
        draw(float(end) - 0.5, color="white", linewidth=2.5)


def name_columns(axes: Axes, names: Sequence[str], groups: Mapping[str, int]) -> None:
    """Write `names` of benchmarks above the columns, and above those the names of their groups."""
    axes.xaxis.tick_top()
    shown = benchmark_names()
    axes.set_xticks(range(len(names)), [shown.get(name, name) for name in names], rotation=90, fontsize=6.5)
    start = 0
    for title, count in groups.items():
        axes.annotate(
            title,
            (start + (count - 1) / 2, 1),
            (0, TITLE_HEIGHT),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            fontsize=7,
            fontweight="bold",
            ha="center",
            annotation_clip=False,
        )
        start += count
