"""Tables as pictures: words are seen in the middle of their cells, in the right ink, and none too wide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.heatmap import draw_cells
from analysis.words import FILLED, Words

CELL = 90
"""Pixels along each side of the cells of `draw`; at 72 of them to an inch, these are points."""
BORDER = 2
"""Pixels that may show the neighbour."""


def draw(
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
    *,
    resolved: Sequence[Sequence[bool | None]] | None = None,
    size: float = 30.0,
) -> tuple[Axes, np.ndarray]:
    """The axes, and their pixels by row and column of cells, without borders: (rows, columns, h, w, 3)."""
    rows, columns = len(values), len(values[0])
    figure = Figure(figsize=(columns * CELL / 72, rows * CELL / 72), dpi=72)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    draw_cells(axes, np.array(values), texts, colors="PuOr", ends=(-1, 1), size=size, resolved=resolved)
    axes.set_axis_off()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3].astype(np.float64)
    return axes, pixels.reshape(rows, CELL, columns, CELL, 3).swapaxes(1, 2)[
        :, :, BORDER:-BORDER, BORDER:-BORDER
    ]


def ink(cell: np.ndarray) -> np.ndarray:
    """How far each pixel of `cell` is from the colour of its corner."""
    return np.abs(cell - cell[0, 0]).sum(axis=-1)


def test_a_word_is_in_the_middle_of_its_own_cell() -> None:
    _, cells = draw([[0.1, 0.0], [0.1, 0.2]], [["", "0"], ["", ""]])
    assert [(row, column) for row in (0, 1) for column in (0, 1) if ink(cells[row, column]).max() > 300] == [
        (0, 1)
    ]
    found = ink(cells[0, 1])
    for axis in (0, 1):
        shares = found.sum(axis=axis) / found.sum()
        assert (shares * np.arange(len(shares))).sum() == pytest.approx((len(shares) - 1) / 2, abs=1.0)
    rows = np.flatnonzero(found.max(axis=1) > 100)
    assert np.ptp(rows) == pytest.approx(0.75 * 30, abs=1.5)  # the height of a digit at 30 points


def test_ink_tells_dark_cells_and_what_is_resolved() -> None:
    _, cells = draw([[0.0, 1.0, 0.0, 1.0, 0.0]], [["8"] * 5], resolved=[[True, True, False, False, None]])
    on_light, on_dark, grey, pale, plain = cells[0]
    assert (on_light.min(), on_dark.max()) == (0, 255)
    assert (grey.min(), pale.max()) == (0x4A, 0xEE)
    assert plain.min() == 0
    assert ink(on_light).sum() > 1.3 * ink(plain).sum()


def test_a_gap_has_a_colour_of_its_own_and_no_word() -> None:
    _, cells = draw([[np.nan, 0.5]], [["", "50"]])
    assert (cells[0, 0] == 0xED).all()


def test_words_shrink_together_until_the_widest_fits() -> None:
    """Else the numbers of neighbours run into each other."""
    texts = [["-88.8", "8", "-88.8"]]
    axes, cells = draw([[0.0] * 3], texts, resolved=[[True] * 3])
    (words,) = [artist for artist in axes.get_children() if isinstance(artist, Words)]
    assert words.fitting_size == pytest.approx(FILLED * CELL / words.widest)
    assert words.fitting_size < words.size
    wide, narrow, _ = (np.ptp(np.flatnonzero(ink(cell).max(axis=0) > 100)) for cell in cells[0])
    assert 0.9 * FILLED * CELL < wide < FILLED * CELL
    assert narrow == pytest.approx(0.6 * words.fitting_size, abs=1.5)
    axes, _ = draw([[0.0] * 3], texts, size=12.0)
    (words,) = [artist for artist in axes.get_children() if isinstance(artist, Words)]
    assert words.fitting_size == 12.0


def test_without_words_nothing_is_measured() -> None:
    _, cells = draw([[0.0]], [[""]])
    assert ink(cells[0, 0]).max() == 0
