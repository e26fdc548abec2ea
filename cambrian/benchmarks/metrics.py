"""One benchmark's number, its interval, and the baselines to hold it against. All in percent."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval, in percent (MME: on its scale to 2000)."""

    value: float
    low: float
    high: float


def accuracy(credits: Sequence[float], clusters: Sequence[str]) -> Estimate:
    """Mean credit (the share of right answers), with Wilson's interval at the effective number of questions.

    Questions of one cluster (one image) are not independent: the variance of the mean is estimated from the
    clusters' totals, and the number of questions is divided by how much larger it is than for independent
    ones, never by less than one. Wilson's interval (1927) keeps its coverage near 0 and 100 %, where a
    bootstrap or a normal interval collapses. Credits between 0 and 1 vary less than right and wrong answers
    of the same mean, so that their interval is, if anything, too long.
    """
    assert len(credits) == len(clusters) > 0
    members: dict[str, list[float]] = defaultdict(list)
    for credit, cluster in zip(credits, clusters, strict=True):
        members[cluster].append(credit)
    mean = sum(credits) / len(credits)
    effective = len(credits) / _design_effect(mean, list(members.values()))
    return _around(mean, effective, len(members) - 1, 100.0)


def stratified(
    parts: Sequence[tuple[Sequence[float], Sequence[str]]], questions: int, full: float
) -> Estimate:
    """Mean over parts of each one's mean credit, on a scale to `full`, from (credits, clusters) of each.

    The parts are independent, so their variances add up; the interval is Wilson's at the number of questions
    that would have this variance, and never at more than the `questions` that there are.
    """
    means = [sum(credits) / len(credits) for credits, _ in parts]
    mean = math.fsum(means) / len(parts)
    variance, groups = 0.0, 0
    for part_mean, (credits, clusters) in zip(means, parts, strict=True):
        totals: dict[str, float] = defaultdict(float)
        for credit, cluster in zip(credits, clusters, strict=True):
            totals[cluster] += credit - part_mean
        groups += len(totals)
        spread = math.fsum(total**2 for total in totals.values()) / len(credits) ** 2
        variance += spread * len(totals) / max(len(totals) - 1, 1) / len(parts) ** 2
    effective = mean * (1 - mean) / variance if variance else float(groups)
    return _around(mean, min(effective, float(questions)), groups - len(parts), full)


def _around(mean: float, n: float, freedom: int, full: float) -> Estimate:
    low, high = wilson(mean, n, _student_quantile(max(freedom, 1)))
    # Rounding must not push the value itself out of its interval at 0 and 100 %.
    return Estimate(value=full * mean, low=full * min(low, mean), high=full * max(high, mean))


def chance(options: Sequence[int | None]) -> float:
    """Expected accuracy of guessing, from each question's number of options; an open question gives 0."""
    return 100 * math.fsum(1 / count for count in options if count) / len(options)


def majority(answers: Sequence[str]) -> float:
    """Accuracy of always giving the most frequent answer of the test set."""
    return 100 * max(Counter(answers).values()) / len(answers)


def percent(flags: Sequence[bool]) -> float:
    """Share of true flags."""
    return 100 * sum(flags) / len(flags)


def _design_effect(mean: float, clusters: Sequence[Sequence[float]]) -> float:
    """Variance of the clustered mean over that of independent questions, at least 1."""
    groups, n = len(clusters), sum(map(len, clusters))
    independent = n * mean * (1 - mean)
    if groups == 1 or independent == 0.0:
        # Nothing to estimate it from; as if the questions of an image were all one question (Kish 1965).
        return sum(len(cluster) ** 2 for cluster in clusters) / n
    totals = math.fsum((sum(cluster) - len(cluster) * mean) ** 2 for cluster in clusters)
    return max(1.0, groups / (groups - 1) * totals / independent)


def wilson(mean: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's interval of a share `mean` among `n` questions, `z` standard errors to each side."""
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
