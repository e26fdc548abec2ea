"""Tables as pictures: a coloured cell for each number, with rules between groups of rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from analysis.words import Word, Words

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
) -> QuadMesh:
    """Colour `values` (rows, columns) from one of `ends` to the other, write `texts` into them.

    What is `resolved` is bold, what is not is grey; None is neither.
    """
    low, high = ends
    rows, columns = (np.arange(count + 1) - 0.5 for count in values.shape)
    cells = axes.pcolormesh(
        *(columns, rows, values),
        cmap=colormaps[colors].with_extremes(bad=GAP),
        vmin=low,
        vmax=high,
        edgecolors="face",  # closes the hairlines that viewers of PDF and SVG leave between neighbours
        linewidth=0.2,
    )
    axes.set_ylim(rows[-1], rows[0])
    words: list[Word] = []
    for row, texts_in_row in enumerate(texts):
        for column, text in enumerate(texts_in_row):
            share = (values[row, column] - low) / (high - low)
            dark = _is_dark(cells, share) if np.isfinite(share) else False
            sure = resolved[row][column] if resolved else None
            color = _ink(dark=dark, sure=sure)
            words.append(Word(column=column, row=row, text=text, color=color, bold=bool(sure)))
    Words(axes, words, size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return cells


def _ink(*, dark: bool, sure: bool | None) -> str:
    """Colour of a word on a `dark` cell or a light one."""
    if sure is False:
        return "#EEEEEE" if dark else "#4A4A4A"
    return "white" if dark else "black"


def _is_dark(cells: QuadMesh, share: float) -> bool:
    """Whether white is easier to read than black on the colour at `share` of the scale."""
    red, green, blue, _ = cells.cmap(min(max(share, 0.0), 1.0))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.6


def rule(axes: Axes, groups: Sequence[int], *, along: Literal["rows", "columns"]) -> None:
    """Draw white rules between `groups`, given by how many rows or columns each has."""
    draw = axes.axhline if along == "rows" else axes.axvline
    for end in np.cumsum(groups)[:-1]:
        draw(float(end) - 0.5, color="white", linewidth=1.8)


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
