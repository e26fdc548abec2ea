"""Calibration of weighted sums of scores on simulated data: over seeds, changes, means of models.

The slow tests print rows of the table of docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy.stats import chi2, norm
from simulated import answers, credits_of

from analysis.answers import NO_ANSWERS, Answers, Sum, mean_of
from analysis.changes import percent_change
from analysis.variance import Variance, spread_of, variance_of_score

REPETITIONS = 2000
"""So many that a rate of 95 % is measured to half a point (one standard error)."""


def chances(freedom: int) -> np.ndarray:
    """Per cent of intervals that hold, exactly, of a sum of two normal errors: the variance of one is known,
    that of the other estimated with `freedom`, by the ratio of the two."""
    logarithms = np.linspace(-24, 5, 600)
    estimates, step = np.exp(logarithms), logarithms[1] - logarithms[0]
    weights = chi2.pdf(estimates * freedom, freedom) * freedom * estimates * step
    found = []
    for ratio in np.geomspace(1e-3, 1e4, 22):
        parts = [
            Variance(questions=1.0, questions_freedom=1e9, seeds=ratio * estimate, seeds_freedom=freedom)
            for estimate in estimates
        ]
        reach = np.array([one.quantile() * one.error for one in parts]) / np.sqrt(1 + ratio)
        found.append(100 * float(weights @ (2 * norm.cdf(reach) - 1)))
    return np.array(found)


@pytest.mark.parametrize(("freedom", "least", "most"), [(1, 93.5, 96.7), (2, 94.6, 95.8), (4, 94.8, 95.3)])
def test_whatever_share_the_seeds_have_intervals_hold(freedom: int, least: float, most: float) -> None:
    found = chances(freedom)
    assert least <= found.min()
    assert found.max() <= most


@pytest.mark.slow
@pytest.mark.parametrize("training", [0.0, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_scores_over_seeds_hold(seeds: int, training: float) -> None:
    generator = np.random.default_rng(12)
    true = 100 * float(np.mean([answers("plain", generator, (1,), training).mean() for _ in range(20_000)]))
    held = 0
    for _ in range(REPETITIONS):
        spread = spread_of(credits_of("plain", answers("plain", generator, (seeds,), training)))
        variance = variance_of_score([(1.0, spread)], range(seeds))
        half = variance.quantile() * variance.error
        held += abs(float(spread.scores.mean()) - true) <= half
    rate = 100 * held / REPETITIONS
    print(f"\nscore over {seeds} seeds, training {training}: {rate:.1f} % of intervals hold")
    assert abs(rate - 95) <= 2


DESIGNS = ("before one", "after one", "before two", "after two")


def sum_rates(shapes: Sequence[str], seeds: int, training: float, repetitions: int) -> dict[str, float]:
    """Per cent of intervals that hold, of what figures make of four designs; the second one is better."""
    generator = np.random.default_rng(13)
    runs = {
        name: tuple(f"run{place * seeds + seed:02d}" for seed in range(seeds))
        for place, name in enumerate(DESIGNS)
    }

    def drawn(shape: str) -> np.ndarray:
        rows = answers(shape, generator, (seeds,) * 4, training, 0.5)
        return np.concatenate([rows[seeds : 2 * seeds], rows[:seeds], rows[2 * seeds :]])

    def means(rows: np.ndarray) -> np.ndarray:
        return 100 * rows.mean(axis=1).reshape(4, seeds).mean(axis=1)

    def sums(scores: Mapping[str, np.ndarray], known: Answers) -> dict[str, Sum]:
        each = {
            shape: [
                known.score(runs[name], shape, value) for name, value in zip(DESIGNS, values, strict=True)
            ]
            for shape, values in scores.items()
        }
        changes = [percent_change(*pair) for four in each.values() for pair in (four[:2], four[2:])]
        return {
            "change": changes[0],
            "mean of changes": mean_of(changes),
            "mean of models": mean_of(each[shapes[0]]),
        }

    many = {shape: np.mean([means(drawn(shape)) for _ in range(4000)], axis=0) for shape in shapes}
    true = sums(many, NO_ANSWERS)
    asked = {run: frozenset(shapes) for design in runs.values() for run in design}
    held: dict[str, list[bool]] = {name: [] for name in true}
    for _ in range(repetitions):
        credits = [credits_of(shape, drawn(shape), benchmark=shape) for shape in shapes]
        known = Answers(asked=asked, groups={}, read=lambda credits=credits: credits)
        for name, one in sums({each.benchmark: means(each.sighted) for each in credits}, known).items():
            found = known.estimate_score(one) if name == "mean of models" else known.estimate(one)
            assert found.low is not None and found.high is not None
            held[name].append(found.low <= true[name].value <= found.high)
    return {name: 100 * float(np.mean(each)) for name, each in held.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "training"), [(1, 0.0), (2, 0.1), (3, 0.3)])
@pytest.mark.parametrize(
    "shapes", [("plain", "clustered"), ("MMVP", "graded"), ("near 97 %", "plain")], ids=str
)
def test_changes_and_means_of_models_hold(shapes: Sequence[str], seeds: int, training: float) -> None:
    for name, rate in sum_rates(shapes, seeds, training, REPETITIONS).items():
        print(f"\n{name}, {shapes}, {seeds} seeds: {rate:.1f} % of intervals hold")
        assert abs(rate - 95) <= 2
