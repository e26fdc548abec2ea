"""What a figure lacks, as the commands that would fill it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from analysis.lines import Line

AXES = (*("encoder", "connector", "adapter", "vision", "vision.blocks", "instruct", "llm", "scale", "seed"),)
"""Words of a command, in their order."""
MOST = 6
"""Commands that are printed; a reader wants the first, not all."""

Cell = Mapping[str, str]
"""Axis -> choice, as results name it: one run that is not there."""


def cells_of(line: Line, **changes: str) -> list[Cell]:
    """The runs of `line`, one per seed, with `changes` of single axes."""
    return [
        {"encoder": line.encoder, "scale": line.scale, **line.design, "seed": str(seed), **changes}
        for seed in line.seeds
    ]


def fill_notes(what: str, cells: Iterable[Cell]) -> tuple[str, ...]:
    """Say that `what` is missing, and the commands that make `cells`; nothing if there are none."""
    commands = fill_commands(cells)
    if not commands:
        return ()
    more = [f"and {len(commands) - MOST} more"] if len(commands) > MOST else []
    return ("\n  ".join([f"missing: {what}; to fill it:", *commands[:MOST], *more]),)


def fill_commands(cells: Iterable[Cell]) -> list[str]:
    """The fewest commands that make `cells` and no other run, as far as joining axis by axis finds them."""
    grids = {tuple((word,) for word in _words(cell)) for cell in cells}
    for place, axis in enumerate(AXES):
        if axis == "vision.blocks":
            continue  # blocks belong to unfrozen encoders alone, so that a list of both is no grid
        joined: dict[tuple[tuple[str, ...], ...], set[str]] = defaultdict(set)
        for grid in grids:
            joined[grid[:place] + grid[place + 1 :]].update(grid[place])
        grids = {
            (*rest[:place], tuple(sorted(values, key=_order)), *rest[place:])
            for rest, values in joined.items()
        }
    return sorted(_command(grid) for grid in grids)


def _words(cell: Cell) -> list[str]:
    """Choices of the command line for `cell`, axis by axis; empty for what it need not say."""
    vision, _, blocks = cell["vision"].partition(" last ")
    encoder = cell["encoder"]
    lab = cell["scale"] == "lab"  # the default, and it has one LLM, which cannot be chosen
    words = {
        **cell,
        "encoder": f"[{encoder.replace('+', ',')}]" if "+" in encoder else encoder,
        "vision": vision,
        "vision.blocks": blocks,
        "llm": "" if lab else cell["llm"],
        "scale": "" if lab else cell["scale"],
    }
    return [words[axis] for axis in AXES]


def _order(word: str) -> tuple[float, str]:
    """Sizes such as 0.5M by what they are, other words as they are spelt."""
    size = word.removesuffix("M")
    return (float(size) if size.replace(".", "", 1).isdigit() else math.inf, word)


def _command(grid: Sequence[Sequence[str]]) -> str:
    several = any(len(values) > 1 for values in grid)
    words = []
    for axis, values in zip(AXES, grid, strict=True):
        if values == ("",) or (axis == "seed" and values == ("0",)):
            continue
        word = f"{axis}={','.join(values)}"
        words.append(f"'{word}'" if "[" in word else word)
    return " ".join(["python run.py", *(["-m"] if several else []), *words])
