"""Pairs of images side by side on one sheet, so that a person can judge what a program found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

CELL = 160
"""Side of an image on the sheet."""
CAPTION = 28
COLUMNS = 4
PAIRS = 60
"""On one sheet."""
GROUND, INK = (255, 255, 255), (20, 20, 20)
LETTERS = 26
"""Of a caption's line."""


def draw_contact_sheet(pairs: Sequence[tuple[Image.Image, Image.Image, str, str]], out: Path) -> None:
    """Draw pairs of RGB images with a caption each, the first `PAIRS` of them, as a PNG."""
    shown = pairs[:PAIRS]
    columns = min(COLUMNS, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    width, height = 2 * CELL + 12, CELL + CAPTION + 8
    sheet = Image.new("RGB", (columns * width, rows * height), GROUND)
    pen = ImageDraw.Draw(sheet)
    for index, (first, second, left, right) in enumerate(shown):
        x, y = (index % columns) * width, (index // columns) * height
        for image, caption, offset in ((first, left, 0), (second, right, CELL + 4)):
            small = image.copy()
            small.thumbnail((CELL, CELL))
            sheet.paste(small, (x + offset + (CELL - small.width) // 2, y + (CELL - small.height) // 2))
            for line in range(2):
                text = caption[line * LETTERS : (line + 1) * LETTERS]
                pen.text(
                    (x + offset + 2, y + CELL + 2 + 12 * line), text.encode("ascii", "replace").decode(), INK
                )
    sheet.save(out, "png")
