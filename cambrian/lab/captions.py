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
    with_depth, with_place = rng.random() < 0.7, rng.random() < 0.7
    parts = [_describe_thing(thing, with_depth=with_depth, with_place=with_place) for thing in named]
    return " ".join([NUMBERS[len(scene.things)], "objects", *parts])


def _describe_thing(thing: Thing, *, with_depth: bool, with_place: bool) -> str:
    depth = f"{thing.depth} " if with_depth else ""
    where = f"{place(thing.cell)} " if with_place else ""
    return f"{where}a {depth}{thing.colour} {thing.shape}"


def _describe_sign(scene: Scene, rng: Random) -> str:
    where = f"{ROWS[scene.row]} " if rng.random() < 0.5 else ""
    return f"a {where}sign with the letters {' '.join(scene.letters)}"


def _describe_chart(scene: Scene, rng: Random) -> str:
    bars = " ".join(f"a {bar.colour} bar of {NUMBERS[bar.value]}" for bar in scene.bars)
    return f"a chart with {bars}"


_WRITERS = {"objects": _describe_things, "sign": _describe_sign, "chart": _describe_chart}
