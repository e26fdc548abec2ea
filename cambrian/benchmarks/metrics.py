"""One benchmark's number, its interval, and the baselines to hold it against. All in percent."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval, in percent."""

    value: float
    low: float
    high: float


def accuracy(correct: Sequence[bool], clusters: Sequence[str]) -> Estimate:
    """Share of right answers, with Wilson's interval at the effective number of questions.

    Questions of one cluster (one image) are not independent: the variance of the mean is estimated from the
    clusters' totals, and the number of questions is divided by how much larger it is than for independent
    ones, never by less than one. Wilson's interval (1927) keeps its coverage near 0 and 100 %, where a
    bootstrap or a normal interval collapses.
    """
    assert len(correct) == len(clusters) > 0
    members: dict[str, list[bool]] = defaultdict(list)
    for right, cluster in zip(correct, clusters, strict=True):
        members[cluster].append(right)
    mean = sum(correct) / len(correct)
    effective = len(correct) / _design_effect(mean, list(members.values()))
    low, high = _wilson(mean, effective, _student_quantile(max(len(members) - 1, 1)))
    # Rounding must not push the value itself out of its interval at 0 and 100 %.
    return Estimate(value=100 * mean, low=100 * min(low, mean), high=100 * max(high, mean))


METRICS: dict[str, Callable[[Sequence[bool], Sequence[str]], Estimate]] = {"accuracy": accuracy}


def chance(options: Sequence[int | None]) -> float:
    """Expected accuracy of guessing, from each question's number of options; an open question gives 0."""
    return 100 * math.fsum(1 / count for count in options if count) / len(options)


def majority(answers: Sequence[str]) -> float:
    """Accuracy of always giving the most frequent answer of the test set."""
    return 100 * max(Counter(answers).values()) / len(answers)


def percent(flags: Sequence[bool]) -> float:
    """Share of true flags."""
    return 100 * sum(flags) / len(flags)


def _design_effect(mean: float, clusters: Sequence[Sequence[bool]]) -> float:
    """Variance of the clustered mean over that of independent questions, at least 1."""
    groups, n = len(clusters), sum(map(len, clusters))
    independent = n * mean * (1 - mean)
    if groups == 1 or independent == 0.0:
        # Nothing to estimate it from; as if the questions of an image were all one question (Kish 1965).
        return sum(len(cluster) ** 2 for cluster in clusters) / n
    totals = math.fsum((sum(cluster) - len(cluster) * mean) ** 2 for cluster in clusters)
    return max(1.0, groups / (groups - 1) * totals / independent)


def _wilson(mean: float, n: float, z: float) -> tuple[float, float]:
    shrink = 1 / (1 + z * z / n)
    centre = (mean + z * z / (2 * n)) * shrink
    half = z * shrink * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _student_quantile(freedom: int) -> float:
    """Two-sided Student quantile by the Cornish-Fisher expansion; within 1 % from 4 degrees of freedom on."""
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
