"""A linear model of a grid: which effects of the axes its runs can tell apart, and how sure they are.

Score of run r on benchmark b = mean of b + effects of the axes + (run) + (effects of the axes in b) + rest,
with the terms in brackets random: a run trains better or worse than its design, and a choice is worth more in
one benchmark than in another. All runs have all benchmarks, so that generalised least squares is ordinary
least squares on the runs' means, and the variances are sums of squares of a crossed design:

    variance of an effect = max(0, variance over B benchmarks / B - x rest / B) + x (variance of runs' means)

with x from the design matrix. The questions are part of the first: other benchmarks have other questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from analysis.variance import NEGLIGIBLE, Values, Variance

TOLERANCE = 1e-8


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The score of a design without runs, on the mean over benchmarks."""

    score: float
    share: float
    """Its variance by estimation, as a multiple of the variance of one run around the model."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One parameter: that an axis has a level instead of its first one, or two axes have one each."""

    levels: tuple[tuple[str, str], ...]
    """(axis, level), one for a main effect and two for an interaction."""

    def __str__(self) -> str:
        return " & ".join(f"{axis}={level}" for axis, level in self.levels)


@dataclass(frozen=True, kw_only=True, eq=False)
class GridModel:
    """A fitted model."""

    columns: tuple[Column, ...]
    design: Values
    """(runs, 1 + columns); the first column is the mean."""
    scores: Values
    """(runs, benchmarks)."""
    inverse: Values
    """Pseudo-inverse of the design (1 + columns, runs)."""
    freedom: int
    """Runs less what the model fits; 0 if it fits all."""

    @classmethod
    def fit(cls, runs: pd.DataFrame, scores: Values, columns: Sequence[Column]) -> GridModel:
        """Fit `columns` to `scores` (runs, benchmarks) of `runs`, which has a text column per axis."""
        design = _design(runs, columns)
        inverse = np.asarray(np.linalg.pinv(design, rcond=TOLERANCE), dtype=np.float64)
        freedom = len(runs) - int(np.linalg.matrix_rank(design, tol=TOLERANCE * len(runs)))
        return cls(columns=tuple(columns), design=design, scores=scores, inverse=inverse, freedom=freedom)

    def confounded(self, contrast: Values) -> list[Column] | None:
        """What an effect (weights over columns) cannot be told from; none if the runs determine it."""
        whole = np.concatenate([[0.0], contrast])
        seen = whole @ self.inverse @ self.design
        if np.allclose(seen, whole, atol=1e-6):
            return None
        return [
            column
            for column, weight, own in zip(self.columns, seen[1:], contrast, strict=True)
            if abs(weight) > 1e-6 and not own
        ]

    def estimate(self, contrast: Values) -> tuple[float, Variance]:
        """An effect on the mean over benchmarks, in points, and its variance."""
        benchmarks = self.scores.shape[1]
        weights = np.concatenate([[0.0], contrast]) @ self.inverse
        each = weights @ self.scores
        over_benchmarks = float(each.var(ddof=1)) / benchmarks if benchmarks > 1 else 0.0
        run, rest = self._noise
        share = float(weights @ weights)
        points = float(each.mean())
        return points if abs(points) > NEGLIGIBLE else 0.0, Variance(
            questions=max(over_benchmarks - share * rest, 0.0),
            questions_freedom=max(benchmarks - 1, 1),
            seeds=max(share * run, NEGLIGIBLE),  # scores may be equal, such as 100 of all
            seeds_freedom=self.freedom,
            training=share * max(run - rest, 0.0),
        )

    def predict(self, designs: pd.DataFrame) -> list[Prediction | None]:
        """Predict `designs`, which have a text column per axis; none where the runs do not determine one."""
        rows = _design(designs, self.columns)
        weights = rows @ self.inverse
        are_seen = np.abs(weights @ self.design - rows).max(axis=1) < 1e-6
        scores = (weights @ self.scores).mean(axis=1)
        shares = np.sum(weights**2, axis=1)
        return [
            Prediction(score=float(score), share=float(share)) if is_seen else None
            for is_seen, score, share in zip(are_seen, scores, shares, strict=True)
        ]

    @property
    def run_variance(self) -> float:
        """Variance of the runs' means around the model, in points squared; 0 if it fits all."""
        return self._noise[0]

    @cached_property
    def _noise(self) -> tuple[float, float]:
        """Variance of the runs' means, and the part of it that single benchmarks account for."""
        benchmarks = self.scores.shape[1]
        if not self.freedom:
            return 0.0, 0.0
        residuals = self.scores - self.design @ (self.inverse @ self.scores)
        means = residuals.mean(axis=1, keepdims=True)
        single = float(np.sum((residuals - means) ** 2)) / max(self.freedom * (benchmarks - 1), 1)
        return float(np.sum(means**2)) / self.freedom, single / benchmarks


def _design(runs: pd.DataFrame, columns: Sequence[Column]) -> Values:
    """Which of `columns` each run has (runs, 1 + columns), after the mean that all have."""
    indicators = [
        np.prod([(runs[axis] == level).to_numpy(dtype=float) for axis, level in column.levels], axis=0)
        for column in columns
    ]
    return np.stack([np.ones(len(runs)), *indicators], axis=1)


def main_columns(runs: pd.DataFrame, axes: Sequence[str]) -> list[Column]:
    """A parameter for each level of each of `axes` but the most frequent one, which comes first."""
    return [Column(levels=((axis, level),)) for axis in axes for level in levels_of(runs, axis)[1:]]


def interaction_columns(runs: pd.DataFrame, one: str, two: str) -> list[Column]:
    """A parameter for each pair of levels of two axes, without their first ones."""
    return [
        Column(levels=((one, first), (two, second)))
        for first in levels_of(runs, one)[1:]
        for second in levels_of(runs, two)[1:]
    ]


def levels_of(runs: pd.DataFrame, axis: str) -> list[str]:
    """Levels of `axis`, the most frequent first; what others are compared with."""
    counts = runs[axis].value_counts()
    return sorted(counts.index, key=lambda level: (-counts[level], level))
