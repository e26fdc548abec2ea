"""Effects with intervals from few independent units, and verdicts that hold over a family of tests.

A contrast is a mean of units, a difference of two means, or a slope over units; a unit is what counts as one
independent observation, such as an encoder with all its runs. How units differ gives the contrast a variance
v in parts (one for each group), each with degrees of freedom nu_i, together those of Welch and Satterthwaite
(Biometrics Bulletin 2, 1946):

    v  = sum(v_i)
    nu = v^2 / sum(v_i^2 / nu_i)

Where the scores of single questions are known, all units share another error, of variance w: they answer the
same questions. Both sides add in quadrature, as in `analysis.statistics`, so that the interval is never
narrower than the units alone would make it:

    95 % interval: effect +- sqrt(t_{0.975, nu}^2 * v + z_{0.975}^2 * w)

p is where such an interval, at a confidence of 1 - p, ends at zero.

A family of tests is adjusted after Holm (Scandinavian Journal of Statistics 6, 1979): the chance of a single
false verdict among all of them is at most 5 %. Intervals are of each effect alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import optimize, special, stats

from analysis.paired import holm

CONFIDENCE = 0.95
ALPHA = 0.05
"""Chance of a false verdict in a family."""
SMALLEST_P = 1e-100
"""What is smaller is 0."""


class Verdict(StrEnum):
    """What the data say about a hypothesis."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_RESOLVED = "not resolved"
    NO_DATA = "no data"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A size in the unit of its measure, as far as its noise is known."""

    value: float
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval; none if nothing tells how much the value would vary."""
    p: float | None = None
    """Two-sided; none if units are too few for a test, even where questions give an interval."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One independent observation."""

    name: str
    value: float
    weights: Mapping[str, float]
    """Key of a model -> weight; the value is the sum of weight times score."""
    group: str = ""
    """Which of two groups it belongs to, if the contrast is between groups."""
    place: float = 0.0
    """Where it stands on the axis of a trend."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a variance."""

    variance: float
    degrees: float


@dataclass(frozen=True, kw_only=True)
class Combination:
    """A linear combination of units: its value, the weight of each, and what is known of its variance."""

    value: float
    weights: tuple[float, ...]
    """One per unit."""
    parts: tuple[Part, ...] | None
    """None if there are too few units to say how much they differ."""


def mean_of_units(units: Sequence[Unit]) -> Combination:
    """Average `units`, at least one."""
    count = len(units)
    return Combination(
        value=sum(unit.value for unit in units) / count,
        weights=(1 / count,) * count,
        parts=None if count < 2 else (_part(units),),
    )


def difference_of_groups(units: Sequence[Unit], more: str, less: str) -> Combination:
    """Mean of the units of group `more` minus that of group `less`, at least one each."""
    sides = [[unit for unit in units if unit.group == name] for name in (more, less)]
    means = [mean_of_units(side) for side in sides]
    weights = {id(unit): sign / len(side) for side, sign in zip(sides, (1, -1), strict=True) for unit in side}
    few = any(len(side) < 2 for side in sides)
    return Combination(
        value=means[0].value - means[1].value,
        weights=tuple(weights[id(unit)] for unit in units),
        parts=None if few else tuple(_part(side) for side in sides),
    )


def slope_over_units(units: Sequence[Unit]) -> Combination | None:
    """Least squares slope of value over place; none if all stand at one place."""
    places = np.array([unit.place for unit in units])
    values = np.array([unit.value for unit in units])
    centred = places - places.mean() if len(units) else places
    square = float((centred**2).sum())
    if square == 0:
        return None
    weights = centred / square
    slope = float(weights @ values)
    rest = values - values.mean() - slope * centred
    degrees = len(units) - 2
    return Combination(
        value=slope,
        weights=tuple(float(weight) for weight in weights),
        parts=None
        if degrees < 1
        else (Part(variance=float((rest**2).sum()) / degrees / square, degrees=degrees),),
    )


def effect_of(combination: Combination, question_variance: float | None) -> Effect:
    """The effect with the interval that units and, where known, questions give.

    Args:
        combination: of the units.
        question_variance: of the same value by the sampling of questions; none if no single scores are known.
    """
    parts = combination.parts or ()
    if not any(part.variance for part in parts):
        parts = ()  # equal units, such as two that are printed alike, do not show that others would be
    if not parts and question_variance is None:
        return Effect(value=combination.value)
    spread = _Spread.of(parts, question_variance or 0.0)
    error = spread.half_width(1 - CONFIDENCE)
    return Effect(
        value=combination.value,
        low=combination.value - error,
        high=combination.value + error,
        p=spread.p(abs(combination.value)) if parts else None,
    )


def share_of_units(units: Sequence[Unit], below: float) -> Effect:
    """Per cent of `units` whose value is less than `below`, tested against a half.

    The interval is that of Clopper and Pearson (Biometrika 26, 1934).
    """
    found = sum(unit.value < below for unit in units)
    test = stats.binomtest(found, len(units), 0.5)
    ends = test.proportion_ci(0.95, method="exact")
    return Effect(
        value=100 * found / len(units), low=100 * ends.low, high=100 * ends.high, p=float(test.pvalue)
    )


def adjust(values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p of each test of a family; what was not tested stays without and does not count."""
    corrected = iter(holm([value for value in values if value is not None]))
    return [None if value is None else next(corrected) for value in values]


def judge(effect: Effect, adjusted: float | None, null: float = 0.0) -> Verdict:
    """Say what an effect means for a hypothesis that it is above `null`."""
    if adjusted is None or adjusted > ALPHA:
        return Verdict.NOT_RESOLVED
    return Verdict.SUPPORTED if effect.value > null else Verdict.CONTRADICTED


@dataclass(frozen=True, kw_only=True)
class _Spread:
    """How much a contrast varies: by its units with few degrees of freedom, by its questions with many."""

    units: float
    """Standard error."""
    degrees: float
    questions: float
    """Standard error."""

    @classmethod
    def of(cls, parts: Sequence[Part], question_variance: float) -> _Spread:
        total = sum(part.variance for part in parts)
        shares = sum((part.variance / total) ** 2 / part.degrees for part in parts) if total else 1.0
        return cls(units=math.sqrt(total), degrees=1 / shares, questions=math.sqrt(question_variance))

    def half_width(self, p: float) -> float:
        """Of the interval with a confidence of 1 - p."""
        lower = special.stdtrit(self.degrees, p / 2), special.ndtri(p / 2)
        return math.hypot(float(lower[0]) * self.units, float(lower[1]) * self.questions)

    def p(self, distance: float) -> float:
        """The p at which the interval's half width is `distance`."""
        if distance == 0:
            return 1.0
        if distance >= self.half_width(SMALLEST_P):
            return 0.0
        found = optimize.root_scalar(
            lambda log: self.half_width(math.exp(log)) - distance, bracket=(math.log(SMALLEST_P), 0.0)
        )
        return math.exp(found.root)


def _part(units: Sequence[Unit]) -> Part:
    values = [unit.value for unit in units]
    return Part(variance=float(np.var(values, ddof=1)) / len(values), degrees=len(values) - 1)
