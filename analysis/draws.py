"""Scores of designs as other questions and other seeds might have given them.

    draw = score + sum over clusters of (times drawn - 1) * deviation + normal * sqrt(training / seeds)

Clusters of questions are drawn with replacement, the same ones for all designs, so that two that answer alike
stay together; scores and deviations are of a design's mean over its seeds. How much one run varies by its
seed is pooled over the designs (`analysis.variance.seed_variance`). Single answers that differ from seed to
seed by chance are among the questions already. Few seeds leave in doubt how much training adds to them: it is
taken so large that the middle 95 % of the difference between two typical designs are as wide as their
interval (`analysis.variance.Variance`), and where that is shorter than questions alone make it, their draws
are scaled to it. Where no design has two seeds, training is in no draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import ndtri

from analysis.designs import Field
from analysis.paired import Target
from analysis.variance import (
    CONFIDENCE,
    NEGLIGIBLE,
    Spread,
    Terms,
    Values,
    Variance,
    median_of_pairs,
    seed_variance,
)

DRAWS = 2000
BLOCK = 250
"""Draws at a time; bounds memory."""


def draw_scores(field: Field, targets: Sequence[Target]) -> Iterator[Values]:
    """Give draws (`DRAWS`, designs) of each of `targets`, which are of `field`; whichever are asked alike."""
    streams: dict[int, int] = {}
    for target in field.targets:
        for _, spread in target.terms:
            streams.setdefault(id(spread), len(streams))
    known: dict[int, Values] = {}
    seeds = [len(rows) for rows in field.rows]
    for target in targets:
        draws = np.zeros((DRAWS, len(field.designs)))
        for weight, spread in target.terms:
            key = id(spread)
            if key not in known:
                known[key] = _draw_questions(spread, field.rows, streams[key])
            draws += weight * known[key]
        scale, training = _scales(target.terms, field.rows)
        yield np.array(field.scores(target)) + scale * draws + draw_training(training, seeds)


def _scales(terms: Terms, rows: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Scale of the draws of questions, and the variance that training adds to one run, in points squared.

    One of the two is neutral, 1 or 0: either the interval of a typical difference is wider than its draws of
    questions, or its seeds are so alike that it is not.
    """
    seeds, answers, freedom = seed_variance(terms, rows)
    if not freedom:
        return 1.0, 0.0
    parts = [weight**2 * _typical_variance(spread, rows) for weight, spread in terms]
    share = 2 * float(np.mean([1 / len(each) for each in rows]))
    questions = sum(parts)
    known = Variance(
        questions=max(questions - share * answers, NEGLIGIBLE),
        questions_freedom=min(spread.freedom for _, spread in terms),
        seeds=share * seeds,
        seeds_freedom=freedom,
    )
    wanted = (known.quantile() * known.error / -float(ndtri((1 - CONFIDENCE) / 2))) ** 2
    if wanted < questions:
        return math.sqrt(wanted / questions), 0.0
    return 1.0, (wanted - questions) / share


def _typical_variance(spread: Spread, rows: Sequence[Sequence[int]]) -> float:
    """Of the difference between two designs by their questions, in points squared; the median over pairs."""
    deviations = _mean_deviations(spread, rows)
    return median_of_pairs(deviations) if len(rows) > 1 else 2 * float(deviations[0] @ deviations[0])


def _mean_deviations(spread: Spread, rows: Sequence[Sequence[int]]) -> Values:
    """Of each design, over its seeds (designs, clusters)."""
    return np.stack([spread.deviations[list(chosen)].mean(axis=0) for chosen in rows])


def draw_training(variance: float, seeds: Sequence[int]) -> Values:
    """Deviations (`DRAWS`, designs) of means over `seeds` runs of each design; `variance` is of one run."""
    normal = np.random.default_rng(2).normal(size=(DRAWS, len(seeds)))
    return normal * np.sqrt(variance / np.asarray(seeds))


def _draw_questions(spread: Spread, rows: Sequence[Sequence[int]], stream: int) -> Values:
    """How mean scores over the seeds in `rows` of each design move with drawn clusters of questions."""
    generator = np.random.default_rng([1, stream])
    count = spread.totals.shape[1]
    deviations = _mean_deviations(spread, rows)
    if count > 1:  # without the scale of a variance's estimate, so that equal scores of a draw are equal
        deviations *= math.sqrt((count - 1) / count)
    draws = np.empty((DRAWS, len(rows)))
    for begin in range(0, DRAWS, BLOCK):
        size = min(BLOCK, DRAWS - begin)
        flat = generator.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(flat.ravel(), minlength=size * count).reshape(size, count)
        draws[begin : begin + size] = (times - 1) @ deviations.T
    return draws
