"""Pictures of scenes: pre-rasterised sprites blitted onto a 128-pixel canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from cambrian.lab.glyphs import GLYPHS
from cambrian.lab.world import BACKGROUNDS, DEPTHS, LETTERS, SHAPES, SIDE, Scene

CANVAS = 128
"""Pixels along one edge of the picture as it is drawn."""
RESOLUTIONS = (64, 128)
CELL = CANVAS // SIDE

PAINT = {
    "red": (225, 35, 35),
    "green": (30, 150, 45),
    "blue": (40, 60, 225),
    "yellow": (240, 220, 40),
    "purple": (175, 45, 195),
    "cyan": (50, 210, 220),
    "white": (250, 250, 250),
    "black": (12, 12, 12),
}
SIZES = {"near": 30, "middle": 23, "far": 17}
"""Pixels across an object: what is far is small ..."""
CLARITY = {"near": 1.0, "middle": 0.82, "far": 0.64}
"""... and fades into the background."""

_PLATES = ((250, 240, 200), (35, 45, 70), (220, 235, 250), (60, 40, 35))
_INKS = ((25, 25, 30), (245, 245, 240), (120, 20, 30), (250, 220, 120))
_BAR_WIDTHS = (14, 18, 22, 26)
_BASE_LINE = 126
_SAMPLES = 6
"""Sub-pixels per edge for antialiasing."""


def render_batch(scenes: Sequence[Scene], resolution: int) -> np.ndarray:
    """Draw scenes as uint8 (B, R, R, 3); R is 128, or 64 as the 2x2 average of the picture at 128."""
    assert resolution in RESOLUTIONS, resolution
    pictures = np.empty((len(scenes), resolution, resolution, 3), np.uint8)
    for scene, picture in zip(scenes, pictures, strict=True):
        canvas = _backgrounds()[scene.background].copy()
        _PAINTERS[scene.kind](canvas, scene)
        if resolution == CANVAS:
            picture[:] = canvas
        else:
            _halve(canvas, picture)
    return pictures


def render(scene: Scene, resolution: int) -> np.ndarray:
    """Draw one scene as uint8 (R, R, 3)."""
    return render_batch([scene], resolution)[0]


def _halve(canvas: np.ndarray, out: np.ndarray) -> None:
    # Pairs of rows, then pairs of pixels channel by channel: long strides beat numpy's inner loop of three.
    rows = canvas[0::2].astype(np.uint16)
    rows += canvas[1::2]
    pairs = rows.reshape(CANVAS // 2, CANVAS // 2, 6)
    for channel in range(3):
        out[..., channel] = (pairs[..., channel] + pairs[..., channel + 3] + 2) >> 2


def _paint_things(canvas: np.ndarray, scene: Scene) -> None:
    for thing in scene.things:
        keep, ink = _sprite(thing.shape, thing.depth, thing.colour, thing.rotation)
        size = keep.shape[0]
        slack = (CELL - size) // 2
        x, y = (min(max(shift, -slack), slack) + slack for shift in thing.shift)
        row, column = divmod(thing.cell, SIDE)
        _blit(canvas, row * CELL + y, column * CELL + x, keep, ink)


def _paint_sign(canvas: np.ndarray, scene: Scene) -> None:
    top = scene.row * CELL
    plate, ink = np.array(_PLATES[scene.style], np.uint8), np.array(_INKS[scene.style], np.uint8)
    canvas[top : top + CELL] = ink
    canvas[top + 1 : top + CELL - 1, 1:-1] = plate
    for column, (letter, (x, y)) in enumerate(zip(scene.letters, scene.shifts, strict=True)):
        marks = _letter(letter)
        height, width = marks.shape
        top_edge = top + (CELL - height) // 2 + y
        left_edge = column * CELL + (CELL - width) // 2 + x
        canvas[top_edge : top_edge + height, left_edge : left_edge + width][marks] = ink


def _paint_chart(canvas: np.ndarray, scene: Scene) -> None:
    width = _BAR_WIDTHS[scene.style]
    for column, bar in enumerate(scene.bars):
        left = column * CELL + (CELL - width) // 2
        top = CANVAS + 4 - bar.value * CELL // 2
        canvas[top:_BASE_LINE, left : left + width] = np.array(PAINT[bar.colour], np.uint8)
    canvas[_BASE_LINE:] = 70


_PAINTERS = {"objects": _paint_things, "sign": _paint_sign, "chart": _paint_chart}


def _blit(canvas: np.ndarray, top: int, left: int, keep: np.ndarray, ink: np.ndarray) -> None:
    size = keep.shape[0]
    patch = canvas[top : top + size, left : left + size]
    patch[:] = (patch * keep + ink) >> 8


@cache
def _sprite(shape: str, depth: str, colour: str, rotation: int) -> tuple[np.ndarray, np.ndarray]:
    """Part of 256 of the background to keep and ink to add, both uint16 (size, size, 1 or 3)."""
    cover = _coverage(shape, SIZES[depth], (rotation - 1) * 0.2) * CLARITY[depth]
    keep = np.rint(256 * (1 - cover)).astype(np.uint16)[..., None]
    ink = (256 - keep) * np.array(PAINT[colour], np.uint16) + 128
    return keep, ink


def _coverage(shape: str, size: int, angle: float) -> np.ndarray:
    fine = (np.arange(size * _SAMPLES) + 0.5) / (size * _SAMPLES) * 2 - 1
    y, x = np.meshgrid(fine, fine, indexing="ij")
    cosine, sine = np.cos(angle), np.sin(angle)
    inside = _OUTLINES[shape](cosine * x - sine * y, sine * x + cosine * y)
    return inside.reshape(size, _SAMPLES, size, _SAMPLES).mean((1, 3))


def _star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Ten corners at alternating radii; by symmetry one edge line in polar form tells inside from outside.
    radius, turn = np.hypot(x, y), np.arctan2(x, -y) % (2 * np.pi / 5)
    turn = np.minimum(turn, 2 * np.pi / 5 - turn)
    tip, notch, half = 1.0, 0.42, np.pi / 5
    edge = tip * notch * np.sin(half) / (notch * np.sin(half - turn) + tip * np.sin(turn))
    return radius <= edge


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    narrow, wide = np.minimum(abs(x), abs(y)), np.maximum(abs(x), abs(y))
    return (narrow <= 0.26) & (wide <= 0.92)


_OUTLINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "circle": lambda x, y: np.hypot(x, y) <= 0.94,
    "square": lambda x, y: np.maximum(abs(x), abs(y)) <= 0.78,
    "triangle": lambda x, y: (y <= 0.68) & (2 * abs(x) <= y + 0.95),
    "star": _star,
    "cross": _cross,
    "ring": lambda x, y: (np.hypot(x, y) <= 0.95) & (np.hypot(x, y) >= 0.56),
}
assert set(_OUTLINES) == set(SHAPES) and set(SIZES) == set(DEPTHS) and set(GLYPHS) == set(LETTERS)


@cache
def _letter(letter: str) -> np.ndarray:
    return GLYPHS[letter].repeat(4, axis=0).repeat(4, axis=1)  # (28, 20)


@cache
def _backgrounds() -> np.ndarray:
    """Greys with a tint and a slope of light, uint8 (BACKGROUNDS, 128, 128, 3)."""
    ramp = np.linspace(-1, 1, CANVAS)
    pictures = []
    for number in range(BACKGROUNDS):
        angle = 2 * np.pi * number / BACKGROUNDS
        slope = 9 * (np.cos(angle) * ramp[:, None] + np.sin(angle) * ramp[None, :])
        tint = 8 * np.cos(angle * 2 + np.array([0.0, 2.1, 4.2]))
        grey = 128 + 6 * (number % 3 - 1)
        pictures.append(np.rint(grey + slope[..., None] + tint).astype(np.uint8))
    return np.stack(pictures)
