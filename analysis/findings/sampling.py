"""What the sampling of questions adds to the noise of any weighted sum of scores.

All models answer the same questions, so that the same draw enters every score: credits are weighted question
by question first, and how the weighted points differ between clusters of questions (one image each) gives

    variance = C / (C - 1) * sum((d_c - mean(d))^2)     d_c: weighted points of cluster c, of C

of one benchmark. Questions of different benchmarks are independent, so variances add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.findings.terms import QuestionVariance
from analysis.published import AVERAGE
from analysis.units import Credits


def no_questions(weights: Mapping[str, float], measure: str) -> None:
    """Know nothing of single questions, as of published models."""


def question_variance(
    credits: Sequence[Credits], benchmarks: Mapping[str, Sequence[str]]
) -> QuestionVariance:
    """Make the function that contrasts ask; it gives none where a model's credits are missing.

    Args:
        credits: of own models.
        benchmarks: category -> benchmarks of its mean.
    """

    def variance(weights: Mapping[str, float], measure: str) -> float | None:
        categories = [name for name in benchmarks if measure in (name, AVERAGE)]
        total = 0.0
        for category in categories:
            for name in benchmarks[category]:
                part = _of_benchmark([one for one in credits if one.benchmark == name], weights)
                if part is None:
                    return None
                total += part / (len(benchmarks[category]) * len(categories)) ** 2
        return total

    return variance


def _of_benchmark(credits: Sequence[Credits], weights: Mapping[str, float]) -> float | None:
    """Variance of the weighted sum of one benchmark; other questions are other, independent draws."""
    wanted = {key for key, weight in weights.items() if weight}
    if not wanted <= {run for one in credits for run in one.runs}:
        return None
    total = 0.0
    for one in credits:
        shares = np.array([weights.get(run, 0.0) for run in one.runs])
        if not shares.any():
            continue
        points = one.totals(shares @ one.sighted)
        if len(points) < 2:
            return None
        total += len(points) * float(np.var(points, ddof=1))
    return total
