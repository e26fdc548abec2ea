"""The lab's visual world: what a scene is, and how one is drawn from a seed.

A canvas of 4x4 cells holds coloured objects at three depths, a sign of four letters, or a bar chart. Every
scene is a function of (seed, split, index); its content decides by hash whether it may be in the test split,
so that no test content is ever trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

WORLD_VERSION = 1
"""Raise it whenever scenes, pictures, captions or questions change."""

SIDE = 4
"""Cells along one edge of the canvas."""

COLOURS = ("red", "green", "blue", "yellow", "purple", "cyan", "white", "black")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
DEPTHS = ("near", "middle", "far")
ROWS = ("top", "upper", "lower", "bottom")
COLUMNS = ("left", "midleft", "midright", "right")
LETTERS = tuple("bcdefhklmnprtuvxyz")
"""No a, i, o (words or digits in disguise), none of g, q (c again at 5x7 pixels), j, s, w."""
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

SPLITS = ("pretrain", "align", "instruct", "test")
BACKGROUNDS = 12
ROTATIONS = 3

_TEST_SHARE = 8
"""One content in this many belongs to the test split."""
_KINDS = ("objects",) * 55 + ("sign",) * 22 + ("chart",) * 23


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """One object in its cell."""

    cell: int
    """Row-major, 0 to 15."""
    colour: str
    shape: str
    depth: str
    shift: tuple[int, int]
    """Offset from the middle of the cell in pixels of the 128-pixel canvas, (x, y)."""
    rotation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar of a chart; its place in the tuple is its column."""

    colour: str
    value: int
    """1 to 8; two values per row of cells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Everything that is in a picture. Only the fields of its kind are filled."""

    kind: str
    """objects, sign or chart."""
    things: tuple[Thing, ...] = ()
    """In reading order."""
    letters: str = ""
    row: int = 0
    """Row of cells of the sign."""
    bars: tuple[Bar, ...] = ()
    background: int = 0
    style: int = 0
    """Paint of the plate, or width of the bars; no question asks for it."""
    shifts: tuple[tuple[int, int], ...] = ()
    """Offsets of the letters in pixels."""


def make_scene(seed: int, split: str, index: int) -> Scene:
    """Draw scene `index` of a split; the same three numbers give the same scene in every process."""
    assert split in SPLITS, split
    rng = Random(f"scene/{WORLD_VERSION}/{seed}/{split}/{index}")  # noqa: S311 - no secret is made here
    while True:
        scene = _DRAW[rng.choice(_KINDS)](rng)
        if is_test_content(scene) == (split == "test"):
            return scene


def is_test_content(scene: Scene) -> bool:
    """Say whether the content (not place on the pixel, paint or row of a sign) is kept for testing."""
    digest = hashlib.blake2b(content(scene).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % _TEST_SHARE == 0


def content(scene: Scene) -> str:
    """Write down what captions and questions can ask about, canonically."""
    things = ",".join(f"{t.cell}:{t.colour}:{t.shape}:{t.depth}" for t in scene.things)
    bars = ",".join(f"{bar.colour}:{bar.value}" for bar in scene.bars)
    return f"{scene.kind}|{things}|{scene.letters}|{bars}"


def symbolic_cells(scene: Scene) -> tuple[tuple[str, ...], ...]:
    """Say in words what is locally visible in each of the 16 cells, row-major: the perfect visual input."""
    cells: list[tuple[str, ...]] = [()] * (SIDE * SIDE)
    for thing in scene.things:
        cells[thing.cell] = (thing.colour, thing.shape, thing.depth)
    for column, letter in enumerate(scene.letters):
        cells[scene.row * SIDE + column] = ("letter", letter)
    for column, bar in enumerate(scene.bars):
        top = top_row(bar.value)
        cells[top * SIDE + column] = ("bar", bar.colour, NUMBERS[bar.value])
        for row in range(top + 1, SIDE):
            cells[row * SIDE + column] = ("bar", bar.colour)
    return tuple(cells)


def top_row(value: int) -> int:
    """Row of cells in which a bar of this value ends."""
    return SIDE - 1 - (value - 1) // 2


def place(cell: int) -> str:
    """Name a cell in two words, such as `upper midleft`."""
    return f"{ROWS[cell // SIDE]} {COLUMNS[cell % SIDE]}"


def _draw_objects(rng: Random) -> Scene:
    # A group of 1 to 5 objects shares a colour or a shape, so that counts are balanced and captions
    # can't be told apart by colour alone.
    group = rng.randint(1, 5)
    count = rng.randint(max(2, group), 6)
    cells = sorted(rng.sample(range(SIDE * SIDE), count))
    members = set(rng.sample(range(count), group))
    by_colour = rng.random() < 0.5
    shared = rng.choice(COLOURS if by_colour else SHAPES)
    colours, shapes = _others(COLOURS, shared), _others(SHAPES, shared)
    things: list[Thing] = []
    for position, cell in enumerate(cells):
        colour, shape = rng.choice(colours), rng.choice(shapes)
        if position in members:
            colour, shape = (shared, shape) if by_colour else (colour, shared)
        things.append(
            Thing(
                cell=cell,
                colour=colour,
                shape=shape,
                depth=rng.choice(DEPTHS),
                shift=(rng.randint(-4, 4), rng.randint(-4, 4)),
                rotation=rng.randrange(ROTATIONS),
            )
        )
    return Scene(kind="objects", things=tuple(things), background=rng.randrange(BACKGROUNDS))


def _others(words: Sequence[str], without: str) -> tuple[str, ...]:
    return tuple(word for word in words if word != without)


def _draw_sign(rng: Random) -> Scene:
    return Scene(
        kind="sign",
        letters="".join(rng.choice(LETTERS) for _ in range(SIDE)),
        row=rng.randrange(SIDE),
        background=rng.randrange(BACKGROUNDS),
        style=rng.randrange(4),
        shifts=tuple((rng.randint(-3, 3), rng.randint(-1, 1)) for _ in range(SIDE)),
    )


def _draw_chart(rng: Random) -> Scene:
    colours = rng.sample(COLOURS, SIDE)
    return Scene(
        kind="chart",
        bars=tuple(Bar(colour=colour, value=rng.randint(1, 8)) for colour in colours),
        background=rng.randrange(BACKGROUNDS),
        style=rng.randrange(4),
    )


_DRAW = {"objects": _draw_objects, "sign": _draw_sign, "chart": _draw_chart}
