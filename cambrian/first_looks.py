"""Reads what is tried before, or instead of, the whole: a part of the data, rungs of parts, a preflight."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from cambrian.errors import unknown_name
from cambrian.recipe import Recipe
from cambrian.schema import read_value

PREFLIGHT = ("auto", "true", "false")


def read_proxy(given: object, faults: list[str]) -> float:
    """Read the part of the examples that a run uses."""
    value = read_value(float, given, "proxy", faults)
    if value is None or 0 < value <= 1:
        return value or 1.0
    faults.append(f"proxy is a part of the examples, above 0 and at most 1; got {value}")
    return 1.0


def read_halving(given: object, recipes: Sequence[Recipe], faults: list[str]) -> tuple[float, ...]:
    """Read the rungs of successive halving, the parts of the examples at which runs are compared."""
    if given is None:
        return ()
    rungs: list[Any] = given if isinstance(given, list) else [given]
    fits = [not isinstance(rung, bool) and isinstance(rung, int | float) and 0 < rung <= 1 for rung in rungs]
    if len(rungs) < 2 or not all(fits) or any(low >= high for low, high in pairwise(rungs)):
        faults.append(
            "halving must list at least two ascending parts of the examples, above 0 and at most 1, "
            f"such as [0.1,0.3,1.0]; got {given}"
        )
        return ()
    if any(recipe.proxy != 1 for recipe in recipes):
        faults.append("halving sets the proxy of each rung itself: leave proxy out")
    return tuple(map(float, rungs))


def read_preflight(given: object, faults: list[str]) -> str:
    """Read whether the whole path is tried before anything long."""
    word = str(given).lower()
    if word not in PREFLIGHT:
        faults.append(unknown_name("value of preflight", word, PREFLIGHT))
    return word
