"""Where designs stand, and what one more run of each is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.standing import belief_of_seeds, rank, worth_of_runs


def worth_of_seeds(scores: list[float], seeds: list[int], noise: float) -> list[float]:
    return worth_of_runs([belief_of_seeds(*each, noise) for each in zip(scores, seeds, strict=True)], noise)


def test_a_seed_is_worth_most_where_the_choice_is_open() -> None:
    """With a gap of nothing and one seed each, s = sqrt(v / 2) and the worth is s / sqrt(2 pi)."""
    worths = worth_of_seeds([50.0, 50.0, 40.0], [1, 1, 1], 4.0)
    assert worths[:2] == pytest.approx([2**0.5 / (2 * np.pi) ** 0.5] * 2)
    assert worths[2] < 1e-6
    assert worth_of_seeds([50.0, 49.0], [3, 1], 4.0)[0] < worth_of_seeds([50.0, 49.0], [1, 1], 4.0)[0]
    assert worth_of_seeds([50.0], [1], 4.0) == [0.0]
    assert worth_of_seeds([50.0, 49.0], [1, 1], 0.0) == [0.0, 0.0]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6), st.integers(0, 5))
def test_standings(scores: list[float], seed: int) -> None:
    draws = np.random.default_rng(seed).normal(scores, 1.0, size=(200, len(scores)))
    standings = rank(scores, draws)
    assert sorted(each.index for each in standings) == list(range(len(scores)))
    assert sum(each.first for each in standings) == pytest.approx(1)
    assert [each.behind for each in standings] == sorted(each.behind for each in standings)
    assert (standings[0].behind, standings[0].behind_low, standings[0].behind_high) == (0, 0, 0)
    assert not standings[0].is_distinguishable
