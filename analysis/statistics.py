"""Means over benchmarks and over seeds, each with a 95 % interval.

A benchmark's own interval [l, h] around its score s comes with the results (resampled questions). Here:

Mean of k benchmarks with equal weights. The questions of different benchmarks are independent, so distances
to the ends of the intervals add in quadrature, each side by itself:

    score = sum(s_i) / k
    low   = score - sqrt(sum((s_i - l_i)^2)) / k
    high  = score + sqrt(sum((h_i - s_i)^2)) / k

This is the "method of variance estimates recovery" (Zou and Donner, Statistics in Medicine 27, 2008). It
keeps the skew of scores near 0 or 100, returns a single benchmark's own interval unchanged, and never leaves
0 to 100.

Mean of m >= 2 seeds. All seeds answer the same questions, so the error of question sampling does not shrink
with more seeds, and that of training does. Scores and intervals do not tell the two apart: intervals over
seeds come from the credits of single questions (`analysis.seeds`). With one seed the interval covers question
sampling only; how much another seed would differ is unknown.

Mean of m different models on the same questions: the errors of question sampling go together, so that both
sides are averaged. It is about these models; how others would differ is not in it.

Change from a to b in per cent of a, with intervals [l, h]: the same method for a ratio (Donner and Zou,
Statistical Methods in Medical Research 21, 2012), as if a and b were answers to different questions. Where
they are answers to the same, and one model mostly gets right what the other does, it is wider than need be.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A score in points (0 to 100) with the ends of its 95 % interval; none where none was published."""

    score: float
    low: float | None = None
    high: float | None = None


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, correctly rounded.

    Raises:
        statistics.StatisticsError: if `values` is empty.
    """
    return statistics.fmean(values)


def mean_of_benchmarks(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates with equal weights; an interval only if every one has one."""
    score = mean([estimate.score for estimate in estimates])
    below, above = _sides(estimates)
    if below is None or above is None:
        return Estimate(score=score)
    count = len(estimates)
    low, high = score - math.hypot(*below) / count, score + math.hypot(*above) / count
    return Estimate(score=score, low=low, high=high)


def mean_of_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of an estimate over runs that differ in the seed alone; only a single one keeps its interval."""
    if len(estimates) == 1:
        return estimates[0]
    return Estimate(score=mean([estimate.score for estimate in estimates]))


def mean_of_models(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of estimates of different models on the same questions; an interval only if every one has one."""
    score = mean([estimate.score for estimate in estimates])
    below, above = _sides(estimates)
    if below is None or above is None:
        return Estimate(score=score)
    return Estimate(score=score, low=score - mean(below), high=score + mean(above))


def difference(first: Estimate, second: Estimate) -> Estimate:
    """`first` minus `second`, in points, as answers to different questions; no interval if one has none."""
    score = first.score - second.score
    below, above = _sides([first, second])
    if below is None or above is None:
        return Estimate(score=score)
    return Estimate(
        score=score, low=score - math.hypot(below[0], above[1]), high=score + math.hypot(above[0], below[1])
    )


def percent_change(before: Estimate, after: Estimate) -> Estimate | None:
    """Change from `before` to `after` in per cent of `before`; none if that is 0.

    Without an interval if one of the two has none, or if that of `before` reaches from 0 or to twice the
    score: then the ratio has no ends.
    """
    if not before.score:
        return None
    change = 100 * (after.score / before.score - 1)
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Estimate(score=change)
    if before.low <= 0 or before.high >= 2 * before.score:
        return Estimate(score=change)
    product = before.score * after.score
    ends = []
    for side, mine, other in ((-1, after.low, before.high), (1, after.high, before.low)):
        # rounding alone can make the root's argument negative: at an end of both intervals it is 0
        inner = product**2 - mine * other * (2 * after.score - mine) * (2 * before.score - other)
        root = math.sqrt(max(inner, 0.0))
        ends.append(100 * ((product + side * root) / (other * (2 * before.score - other)) - 1))
    return Estimate(score=change, low=ends[0], high=ends[1])


def _sides(estimates: Sequence[Estimate]) -> tuple[list[float] | None, list[float] | None]:
    """Distances from each score to the ends of its interval; none if one has no interval."""
    below: list[float] = []
    above: list[float] = []
    for estimate in estimates:
        if estimate.low is None or estimate.high is None:
            return None, None
        below.append(estimate.score - estimate.low)
        above.append(estimate.high - estimate.score)
    return below, above
