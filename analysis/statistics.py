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
