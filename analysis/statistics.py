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
with more seeds: its two sides are averaged. The error of training does shrink: Student's t with m - 1 degrees
of freedom times sd / sqrt(m). The two add in quadrature:

    score = sum(s_j) / m
    t     = t_{0.975, m-1} * sd(s) / sqrt(m)
    low   = score - sqrt(mean(s_j - l_j)^2 + t^2)
    high  = score + sqrt(mean(h_j - s_j)^2 + t^2)

cut at 0 and 100, since t is large for few seeds (12.7 for two).
With one seed the interval covers question sampling only; how much another seed would differ is unknown.

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

T_975 = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423),
)
"""97.5 % quantiles of Student's t for 1, 2, ... 30 degrees of freedom."""


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
    """Mean of the same estimate from runs that differ in the seed alone.

    Raises:
        ValueError: for more seeds than the table of Student's t has.
    """
    if len(estimates) == 1:
        return estimates[0]
    if len(estimates) > len(T_975) + 1:
        raise ValueError(f"{len(estimates)} seeds; the table of Student's t ends at {len(T_975) + 1}")
    scores = [estimate.score for estimate in estimates]
    score = mean(scores)
    below, above = _sides(estimates)
    if below is None or above is None:
        return Estimate(score=score)
    training = T_975[len(scores) - 2] * statistics.stdev(scores) / math.sqrt(len(scores))
    return Estimate(
        score=score,
        low=max(score - math.hypot(mean(below), training), 0.0),
        high=min(score + math.hypot(mean(above), training), 100.0),
    )


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
