"""Words in the cells of a table that is a picture: one artist for all, since there are thousands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.artist import Artist, allow_rasterization
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import LoadFlags
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, IdentityTransform

FILLED = 0.88
"""Part of the width of a cell that a word may take."""
UNITS = 2048
"""To the size of the font, DejaVu Sans."""
DIGIT_HEIGHT = 1493 / UNITS


@dataclass(frozen=True, kw_only=True)
class Word:
    """What stands in the middle of a cell, and how it looks."""

    column: int
    row: int
    text: str
    color: str
    bold: bool


class Words(Artist):
    """Words in cells that are 1 wide in the data of `axes`, all of one size.

    A `matplotlib.text.Text` per word would be measured and laid out again for every file, which takes longer
    than all the rest of a large figure. Here a letter is an outline, drawn at all its places at once, as in
    the PDF, where these words cannot be selected. The CSV beside a figure has its numbers as text.
    """

    def __init__(self, axes: Axes, words: Iterable[Word], size: float) -> None:
        """Add `words` to `axes`; `size` is in points, and becomes less where cells are too narrow for it."""
        super().__init__()
        self.size = size
        self.widest = 0.0
        places: dict[tuple[str, bool, str], list[tuple[int, int, float]]] = defaultdict(list)
        for word in words:
            widths = [_glyph(letter, word.bold)[1] for letter in word.text]
            self.widest = max(self.widest, sum(widths))
            left = -sum(widths) / 2
            for letter, width in zip(word.text, widths, strict=True):
                places[letter, word.bold, word.color].append((word.column, word.row, left))
                left += width
        self._places = {key: np.array(found) for key, found in places.items()}
        self.set_in_layout(False)
        self.set_zorder(3)
        axes.add_artist(self)

    @property
    def fitting_size(self) -> float:
        """Points: what the widest word leaves of the size in cells of the axes as they now are."""
        assert self.axes and self.axes.figure
        (left, _), (right, _) = self.axes.transData.transform([(0, 0), (1, 0)])
        cell = 72 * abs(right - left) / self.axes.figure.dpi
        return min(self.size, FILLED * cell / self.widest) if self.widest else self.size

    @allow_rasterization
    def draw(self, renderer: RendererBase) -> None:
        """Draw each letter, of each weight and colour, at its places."""
        assert self.axes and self.axes.figure
        pixels = self.fitting_size * self.axes.figure.dpi / 72
        context = renderer.new_gc()
        context.set_linewidth(0)
        context.set_snap(False)  # else the dots alone, which have straight edges, are moved to whole pixels
        for (letter, bold, color), places in self._places.items():
            points = self.axes.transData.transform(places[:, :2])
            points += pixels * np.column_stack([places[:, 2], np.full(len(places), -DIGIT_HEIGHT / 2)])
            outline, _ = _glyph(letter, bold)
            scale = Affine2D().scale(pixels)
            renderer.draw_markers(context, outline, scale, Path(points), IdentityTransform(), to_rgb(color))
        context.restore()
        self.stale = False


@cache
def _glyph(letter: str, bold: bool) -> tuple[Path, float]:
    """Outline on the baseline, and width up to the next letter, at a size of 1."""
    font = get_font(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")))
    font.set_size(UNITS, 72)
    glyph = font.load_char(ord(letter), LoadFlags.NO_HINTING)
    vertices, codes = font.get_path()
    return Path(vertices / UNITS, codes), glyph.linearHoriAdvance / 2**16 / UNITS
