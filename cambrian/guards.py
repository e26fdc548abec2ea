"""What training watches itself for: examples that cannot be used, losses that leap, losses that are none."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from cambrian.errors import DataError
from cambrian.task import LeftOut

MOST_LEFT_OUT = 0.01
"""Share of the examples seen; beyond it is not bad luck that some cannot be used."""
LEAST_LEFT_OUT = 20
"""So few are always bad luck."""
NAMED = 5
"""Examples that an error names."""

LEAPS: Mapping[str, float] = {"loss": 3.0, "norm of the gradient": 10.0}
"""A spike is a value this many times the median of those before it."""
LOOKBACK = 100
"""Steps that the median is taken over."""
SETTLED = 20
"""Steps at the least before there can be a spike."""

logger = logging.getLogger(__name__)


class NonFiniteLoss(ArithmeticError):  # noqa: N818 - it names the event
    """The loss, a gradient or a weight stopped being a number; checkpoints hold what was before."""

    def __init__(self, what: str, step: int, ids: list[str]) -> None:
        self.step = step
        self.ids = tuple(ids)
        self._what = what
        super().__init__(f"{what} at step {step}; examples of the batch: {', '.join(ids)}")

    def __reduce__(self) -> tuple[type[NonFiniteLoss], tuple[str, int, list[str]]]:
        """Let it leave the process of a worker."""
        return NonFiniteLoss, (self._what, self.step, list(self.ids))


class LeftOuts:
    """The examples that training did without, each once, however often it comes."""

    def __init__(self) -> None:
        self._found: dict[int, LeftOut] = {}

    @property
    def found(self) -> tuple[LeftOut, ...]:
        """All of them, in the order in which they were met."""
        return tuple(self._found.values())

    def add(self, examples: Iterable[LeftOut], *, seen: int, speak: bool) -> None:
        """Note `examples`, after `seen` examples in all; log the new ones if this is the worker to `speak`.

        Raises:
            DataError: if there are too many.
        """
        for one in examples:
            if one.index not in self._found:
                self._found[one.index] = one
                if speak:
                    logger.warning("left out example %s: %s", _named(one), one.reason)
        count = len(self._found)
        if count >= LEAST_LEFT_OUT and count > MOST_LEFT_OUT * seen:
            first = "; ".join(f"{_named(one)}: {one.reason}" for one in self.found[:NAMED])
            raise DataError(
                f"{count:,} of the first {seen:,} examples cannot be used, and at most {MOST_LEFT_OUT:.0%} "
                f"may be left out; is it the right folder of images, and is the context long "
                f"enough? The first are {first}"
            )

    def facts(self) -> dict[str, Any]:
        """Count them, in all and by kind."""
        kinds = Counter(one.kind for one in self.found)
        return {"left_out": len(self._found), "left_out_kinds": dict(kinds.most_common())}

    def state(self) -> list[dict[str, Any]]:
        """Give plain values for a checkpoint."""
        return [asdict(one) for one in self.found]

    def load(self, state: Iterable[Mapping[str, Any]]) -> None:
        """Take what a checkpoint held."""
        self._found = {one["index"]: LeftOut(**one) for one in state}


def _named(example: LeftOut) -> str:
    return f"'{example.id}'" + (f" ({example.place})" if example.place else "")


def find_spikes(curves: Mapping[str, Sequence[float]]) -> list[str]:
    """Say which of the curves leap with their newest value, by the names of `LEAPS`.

    `curves` hold the values of all steps so far. The values alone decide, so all workers find the same. A
    curve that stays up, as after a change of the data, has leapt once.
    """
    found: list[str] = []
    for name, values in curves.items():
        usual = _usual(values, len(values) - 1)
        if _leaps(name, values, len(values) - 1) and not _leaps(name, values, len(values) - 2):
            found.append(f"{name} is {values[-1]:.3g}, {usual:.3g} being usual")
    return found


def _leaps(name: str, values: Sequence[float], at: int) -> bool:
    return values[at] > LEAPS[name] * _usual(values, at) if at >= 0 else False


def _usual(values: Sequence[float], at: int) -> float:
    """Median of the values before `at`; in the first steps everything is usual."""
    before = values[max(0, at - LOOKBACK) : max(0, at)]
    return median(before) if len(before) >= SETTLED else math.inf
