"""Scores of designs as other questions and other seeds might have given them.

    draw = score + sum over clusters of (times drawn - 1) * deviation + normal * sqrt(training / seeds)

Clusters of questions are drawn with replacement, the same ones for all designs, so that two that answer alike
stay together; scores and deviations are of a design's mean over its seeds. How much one run varies by its
seed is pooled over the designs (`analysis.variance.seed_variance`). Few seeds leave that in doubt, so it is
drawn as well, once for all designs; with many degrees of freedom it is the variance itself:

    training = max(0, variance * freedom / chi-squared - single answers)

Single answers that differ from seed to seed by chance are taken off it: they are among the questions already.
Where no design has two seeds, training is in no draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from analysis.designs import Field
from analysis.paired import Target
from analysis.variance import Spread, Values, seed_variance

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
        variance, answers, freedom = seed_variance(target.terms, field.rows)
        if freedom:
            drawn = variance * freedom / np.random.default_rng(3).chisquare(freedom, size=(DRAWS, 1))
            draws += draw_training(np.maximum(drawn - answers, 0.0), seeds)
        yield draws


def draw_training(variance: Values | float, seeds: Sequence[int]) -> Values:
    """Deviations (`DRAWS`, designs) of means over `seeds` runs of each design, by how training varies.

    `variance` is of one run, in points squared; of every draw (`DRAWS`, 1), or of all.
    """
    normal = np.random.default_rng(2).normal(size=(DRAWS, len(seeds)))
    return normal * np.sqrt(variance / np.asarray(seeds))


def _draw_questions(spread: Spread, rows: Sequence[Sequence[int]], stream: int) -> Values:
    """Mean scores over the seeds in `rows` of each design, on drawn clusters of questions."""
    generator = np.random.default_rng([1, stream])
    count = spread.totals.shape[1]
    scores = np.array([spread.scores[list(chosen)].mean() for chosen in rows])
    deviations = np.stack([spread.deviations[list(chosen)].mean(axis=0) for chosen in rows])
    if count > 1:  # without the scale of a variance's estimate, so that equal scores of a draw are equal
        deviations *= math.sqrt((count - 1) / count)
    draws = np.empty((DRAWS, len(rows)))
    for begin in range(0, DRAWS, BLOCK):
        size = min(BLOCK, DRAWS - begin)
        flat = generator.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(flat.ravel(), minlength=size * count).reshape(size, count)
        draws[begin : begin + size] = (times - 1) @ deviations.T
    return draws + scores
