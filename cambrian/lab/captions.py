"""Captions: what alignment learns every visual word from."""

from __future__ import annotations

from random import Random

from cambrian.lab.world import NUMBERS, ROWS, Scene, Thing, place

_MOST_NAMED = 4
"""Objects named in one caption, which keeps captions below about 30 words."""


def caption(scene: Scene, rng: Random) -> str:
    """Describe a scene in lowercase words; colours alone do not tell scenes apart."""
    return _WRITERS[scene.kind](scene, rng)


def _describe_things(scene: Scene, rng: Random) -> str:
    named = scene.things
    if len(named) > _MOST_NAMED:
        chosen = sorted(rng.sample(range(len(named)), _MOST_NAMED))
        named = tuple(named[position] for position in chosen)
    with_depth = rng.random() < 0.7
    where = rng.choice(("before", "after", "unsaid"))
    parts = [_describe_thing(thing, with_depth=with_depth, where=where) for thing in named]
    return " ".join([NUMBERS[len(scene.things)], "objects", *parts])


def _describe_thing(thing: Thing, *, with_depth: bool, where: str) -> str:
    words = (
        f"a {thing.depth} {thing.colour} {thing.shape}" if with_depth else f"a {thing.colour} {thing.shape}"
    )
    # In both orders, so that a place leads to its object and an object to its place.
    before = f"{place(thing.cell)} " if where == "before" else ""
    after = f" {place(thing.cell)}" if where == "after" else ""
    return f"{before}{words}{after}"


def _describe_sign(scene: Scene, rng: Random) -> str:
    where = f"{ROWS[scene.row]} " if rng.random() < 0.5 else ""
    return f"a {where}sign with the letters {' '.join(scene.letters)}"


def _describe_chart(scene: Scene, rng: Random) -> str:
    bars = " ".join(f"a {bar.colour} bar of {NUMBERS[bar.value]}" for bar in scene.bars)
    return f"a chart with {bars}"


_WRITERS = {"objects": _describe_things, "sign": _describe_sign, "chart": _describe_chart}
