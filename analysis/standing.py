"""Where designs stand among each other, how sure that is, and which run would tell most.

Every design has draws of its score: what it might be, given the noise that is known.

    first        share of the draws in which a design has the highest score; equal ones share a draw
    behind       best less design, with the middle 95 % of the draws; not told apart if that holds zero
    rank         by the scores, with the middle 95 % of the draws; of equal designs each has the middle rank

What one more run of a design is worth (the knowledge gradient; Frazier, Powell and Dayanik, SIAM Journal on
Control and Optimization 47, 2008), in points that the choice is expected to gain. What is believed of a
design's score has the variance t, and one run varies by v: a run is expected to move the belief by

    s     = t / sqrt(t + v)
    worth = s * f(-|gap| / s),   f(x) = x * Phi(x) + phi(x)

with the gap to the best other design that was tried. Of a design with k seeds t = v / k, so that s is
sqrt(v / k - v / (k + 1)). An untried design can only be chosen once it was run: if it is predicted to be
better than all that were tried, the worth of its run is the gap besides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from analysis.variance import NEGLIGIBLE, Values

ROUNDING = 6
"""Digits after which scores of a draw are equal."""
MIDDLE = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One design among all, by one score."""

    index: int
    """Which of the designs it is."""
    score: float
    rank: int
    """By the scores, from 1; equal scores share the better rank."""
    rank_low: float
    rank_high: float
    """The middle 95 % of its rank."""
    first: float
    """Share of the draws in which it is the highest."""
    behind: float
    """Points behind the best; 0 for the best."""
    behind_low: float
    behind_high: float
    """The middle 95 % of that."""

    @property
    def is_distinguishable(self) -> bool:
        """Whether it is worse than the best beyond the noise that is known."""
        return self.behind_low > 0


def rank(scores: Sequence[float], draws: Values) -> list[Standing]:
    """Order designs by `scores`, the best first; `draws` has a row per draw and a column per design."""
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    best = order[0]
    rounded = np.round(draws, ROUNDING)
    highest = rounded == rounded.max(axis=1, keepdims=True)
    first = (highest / highest.sum(axis=1, keepdims=True)).mean(axis=0)
    ranks = np.quantile(pd.DataFrame(-rounded).rank(axis=1).to_numpy(), MIDDLE, axis=0)
    behind = np.quantile(rounded[:, [best]] - rounded, MIDDLE, axis=0)
    return [
        Standing(
            index=index,
            score=scores[index],
            rank=1 + sum(other > scores[index] + 10**-ROUNDING for other in scores),
            rank_low=float(ranks[0, index]),
            rank_high=float(ranks[1, index]),
            first=float(first[index]),
            behind=scores[best] - scores[index],
            behind_low=float(behind[0, index]),
            behind_high=float(behind[1, index]),
        )
        for index in order
    ]


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What is known of one design's score, in points."""

    mean: float
    variance: float
    is_tried: bool


def belief_of_seeds(score: float, seeds: int, noise: float) -> Belief:
    """What the mean `score` of several seeds tells, if one run has the variance `noise`."""
    return Belief(mean=score, variance=noise / seeds, is_tried=True)


def worth_of_runs(beliefs: Sequence[Belief], noise: float) -> list[float]:
    """Points that the choice is expected to gain by one more run of each design; it varies by `noise`."""
    tried = sorted((belief.mean for belief in beliefs if belief.is_tried), reverse=True)
    worths = []
    for belief in beliefs:
        others = tried[1:] if belief.is_tried and belief.mean == tried[0] else tried
        if not others:
            worths.append(0.0)
            continue
        gap = belief.mean - others[0]
        worth = 0.0 if belief.is_tried else max(gap, 0.0)
        if belief.variance > NEGLIGIBLE:
            move = belief.variance / math.sqrt(belief.variance + noise)
            x = -abs(gap) / move
            worth += move * (x * float(special.ndtr(x)) + math.exp(-x * x / 2) / math.sqrt(2 * math.pi))
        worths.append(worth)
    return worths
