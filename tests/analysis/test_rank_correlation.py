"""Rank correlations against values worked out by hand, and those that scipy's documentation prints."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.rank_correlation import kendall, spearman

PAIRS = st.integers(2, 8).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 5), min_size=n, max_size=n) for _ in range(2)))
)


def array(values: object) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(
    ("left", "right", "rho", "tau"),
    [
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8, 0.6),
        ([1, 2, 3], [10, 20, 30], 1.0, 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0, -1.0),
        ([1, 2, 2, 3], [1, 2, 3, 4], 4.5 / math.sqrt(4.5 * 5), 5 / math.sqrt(5 * 6)),
        ([1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233, 7 / math.sqrt(10 * 9)),
        ([12, 2, 1, 12, 2], [1, 4, 7, 1, 0], -0.5407380704358752, -0.47140452079103173),
    ],
)
def test_known_values(left: list[float], right: list[float], rho: float, tau: float) -> None:
    assert spearman(array(left), array(right)) == pytest.approx(rho, abs=1e-12)
    assert kendall(array(left), array(right)) == pytest.approx(tau, abs=1e-12)


def test_many_pairs_at_once() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(3, 2, 6)), rng.normal(size=(3, 2, 6))
    for measure in (spearman, kendall):
        whole = measure(left, right)
        assert whole.shape == (3, 2)
        assert whole[2, 1] == measure(left[2, 1], right[2, 1])


def test_nothing_if_all_are_equal() -> None:
    assert np.isnan(spearman(array([2, 2, 2]), array([1, 2, 3])))
    assert np.isnan(kendall(array([1, 2, 3]), array([2, 2, 2])))


@given(PAIRS)
@settings(deadline=None)
def test_order_alone_counts(pair: tuple[list[int], list[int]]) -> None:
    left, right = map(array, pair)
    assume(len(set(pair[0])) > 1 and len(set(pair[1])) > 1)
    for measure in (spearman, kendall):
        value = measure(left, right)
        assert -1 - 1e-12 <= value <= 1 + 1e-12
        assert measure(right, left) == pytest.approx(value)
        assert measure(np.exp(left), right) == pytest.approx(value)
        assert measure(-left, right) == pytest.approx(-value)
        assert measure(left, left) == pytest.approx(1)
