"""Draws of scores: how they vary, what stays together, and that no noise is in them twice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import answers, credits_of

from analysis.designs import Design, Field, field_of
from analysis.draws import DRAWS, draw_scores, draw_training
from analysis.standing import rank
from analysis.variance import Variance, seed_variance, variance_of

REPETITIONS = 2000
"""Of a simulation; so many that a rate of 95 % is measured to half a point (one standard error)."""


def designs(*seeds: int) -> list[Design]:
    """Designs a, b, ... of so many seeds each, of the runs in their order."""
    ends = np.cumsum(seeds)
    return [
        Design(label="abcdefgh"[place], runs=tuple(f"run{run:02d}" for run in range(end - count, end)))
        for place, (count, end) in enumerate(zip(seeds, ends, strict=True))
    ]


def field(rows: np.ndarray, *seeds: int) -> Field:
    return field_of([credits_of("plain", rows)], designs(*seeds))


def draws(of: Field) -> np.ndarray:
    (found,) = draw_scores(of, of.targets[:1])
    return found


@pytest.mark.parametrize("training", [0.5, 0.0])
def test_differences_are_drawn_as_wide_as_their_intervals(training: float) -> None:
    """Eight designs of two seeds: single answers once, training on top, both divided by two."""
    rows = answers("plain", np.random.default_rng(0), (2,) * 8, training=training)
    of = field(rows, *(2,) * 8)
    found = draws(of)
    terms = of.targets[0].terms
    variance, single, freedom = seed_variance(terms, of.rows)
    assert (freedom, variance > 2 * single) == (8, training > 0)
    assert found.mean(axis=0) == pytest.approx(of.scores(of.targets[0]), abs=0.4)
    drawn, expected = [], []
    for one, other in itertools.combinations(range(8), 2):
        low, high = np.quantile(found[:, one] - found[:, other], [0.025, 0.975])
        drawn.append((high - low) / 2)
        pair = variance_of(terms, of.rows[one], of.rows[other])
        known = Variance(
            questions=pair.questions + seed_variance(terms, [of.rows[one], of.rows[other]])[1] - single,
            questions_freedom=pair.questions_freedom,
            seeds=variance,
            seeds_freedom=freedom,
        )
        expected.append(known.quantile() * known.error)
    assert np.median(drawn) == pytest.approx(np.median(expected), rel=0.03)


def test_seeds_that_differ_by_single_answers_alone_add_nothing() -> None:
    """Each seed has other questions right, as many: all of their difference is among the questions."""
    rows = np.array([np.arange(300) % 2 == side for side in (0, 1, 0, 1)], dtype=float)
    found = draws(field(rows, 2, 2))
    assert found == pytest.approx(np.full_like(found, 50.0), abs=1e-3)  # each is right in one seed of two
    alone = draws(field(rows, 1, 1, 1, 1))
    assert alone.std(axis=0) == pytest.approx(100 / 300 * 75**0.5, rel=0.1)


def test_one_seed_has_the_training_noise_of_the_others() -> None:
    rows = np.zeros((5, 300))
    rows[:, :100] = 1
    rows[1::2, :160] = 1  # seeds of a and of b are 20 points apart
    found = draws(field(rows, 2, 2, 1))
    questions = 100 / 300 * (300 / 3 * 2 / 3) ** 0.5
    assert found[:, 2].std() > 2 * questions
    assert draws(field(rows[:1], 1))[:, 0].std() == pytest.approx(questions, rel=0.1)


def test_training_by_hand() -> None:
    found = draw_training(4.0, [1, 4])
    assert found.shape == (DRAWS, 2)
    assert found.std(axis=0) == pytest.approx([2.0, 1.0], rel=0.05)


@given(st.integers(1, 4), st.integers(0, 100))
def test_equal_designs_stay_together(count: int, seed: int) -> None:
    """Runs that answer alike share the first place; a score has the same draws whichever are asked for."""
    right = (np.random.default_rng(seed).random(300) < 0.6).astype(float)
    of = field(np.tile(right, (count, 1)), *(1,) * count)
    found = list(draw_scores(of, of.targets))
    assert np.ptp(found[0], axis=1) == pytest.approx(0.0, abs=1e-9)
    standings = rank(of.scores(of.targets[0]), found[0])
    assert [one.first for one in standings] == pytest.approx([1 / count] * count)
    (last,) = draw_scores(of, of.targets[-1:])
    assert np.array_equal(last, found[-1])


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(2, 2), (3, 3), (2, 2, 2, 2), (1, 1, 2, 2, 2, 2)])
@pytest.mark.parametrize("training", [0.0, 0.1, 0.4])
def test_intervals_of_draws_hold(seeds: tuple[int, ...], training: float) -> None:
    """Of two equal designs, the middle 95 % of the difference hold 0."""
    held = 0
    for repetition in range(REPETITIONS):
        rows = answers("plain", np.random.default_rng(repetition), seeds, training)
        found = draws(field(rows, *seeds))
        low, high = np.quantile(found[:, 0] - found[:, 1], [0.025, 0.975])
        held += bool(low <= 0 <= high)
    rate = 100 * held / REPETITIONS
    print(f"\ndraws of {seeds} seeds, training {training}: {rate:.1f} % of intervals hold")
    assert abs(rate - 95) <= 2
