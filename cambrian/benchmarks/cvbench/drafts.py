"""A question before its options are put in order."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from cambrian.benchmarks.cvbench.scenes import Box, Scene


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A question whose answer the annotations tell."""

    task: str
    scene: Scene
    question: str
    choices: tuple[str, ...]
    answer: str
    """One of the choices."""
    frames: tuple[Box, ...] = ()
    """Boxes that are drawn on the picture: red, blue, green."""
    balance: str
    """What is to occur equally often among the questions of a task."""


def rank(*parts: object) -> str:
    """A place in an order that is random to the eye and the same whatever order the data are read in."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()


def dice(*parts: object) -> random.Random:
    """Random numbers that `parts` alone decide."""
    return random.Random(rank(*parts))  # noqa: S311 - questions, not keys


def shuffled(choices: Sequence[str], answer: str, place: int, throw: random.Random) -> tuple[str, ...]:
    """The choices in random order, but for the answer, which comes at `place`."""
    others = sorted(choice for choice in choices if choice != answer)
    throw.shuffle(others)
    return (*others[:place], answer, *others[place:])
