"""Which of several candidates is best, how sure that is, and which run would tell most.

Every candidate has draws of its score: what it might be, given the noise that is known. Draws of own
candidates share the resampled questions, so that two that answer alike stay together.

    first        share of the draws in which a candidate has the highest score
    behind       best less candidate, with the middle 95 % of the draws; not told apart if that holds zero

What one more seed of a candidate is worth (the knowledge gradient; Frazier, Powell and Dayanik, SIAM Journal
on Control and Optimization 47, 2008): with k seeds of training variance v, another one moves its mean by s,

    s     = sqrt(v / k - v / (k + 1))
    worth = s * f(-|gap| / s),   f(x) = x * Phi(x) + phi(x)

with the gap to the best candidate (of the best: to the second). It is what the choice is expected to gain, in
points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

DRAWS = 4000
Draws = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One candidate among all, the best first."""

    index: int
    """Which of the candidates it is."""
    first: float
    """Share of the draws in which it is the highest."""
    behind: float
    """Points behind the best; 0 for the best."""
    low: float
    high: float
    """The middle 95 % of that."""

    @property
    def is_distinguishable(self) -> bool:
        """Whether it is worse than the best beyond the noise that is known."""
        return self.low > 0


def rank(scores: Sequence[float], draws: Draws) -> list[Standing]:
    """Order candidates by `scores`; `draws` has a row per draw and a column per candidate."""
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    best = order[0]
    winners = np.bincount(draws.argmax(axis=1), minlength=len(scores)) / len(draws)
    ends = np.quantile(draws[:, [best]] - draws, [0.025, 0.975], axis=0)
    return [
        Standing(
            index=index,
            first=float(winners[index]),
            behind=scores[best] - scores[index],
            low=float(ends[0, index]),
            high=float(ends[1, index]),
        )
        for index in order
    ]


def worth_of_a_seed(scores: Sequence[float], seeds: Sequence[int], training_variance: float) -> list[float]:
    """Points that the choice is expected to gain by one more seed of each candidate."""
    if len(scores) < 2 or training_variance <= 0:
        return [0.0] * len(scores)
    ordered = sorted(scores, reverse=True)
    worths = []
    for score, count in zip(scores, seeds, strict=True):
        gap = ordered[0] - (ordered[1] if score == ordered[0] else score)
        move = math.sqrt(training_variance / count - training_variance / (count + 1))
        x = -gap / move
        worths.append(move * (x * float(special.ndtr(x)) + math.exp(-x * x / 2) / math.sqrt(2 * math.pi)))
    return worths
