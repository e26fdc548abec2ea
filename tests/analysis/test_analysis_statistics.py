"""Intervals of means, against values worked out by hand."""

from __future__ import annotations

import pytest

from analysis.statistics import (
    Estimate,
    difference,
    mean_of_benchmarks,
    mean_of_models,
    mean_of_seeds,
    percent_change,
)


def test_two_benchmarks_add_in_quadrature_each_side_by_itself() -> None:
    mean = mean_of_benchmarks([Estimate(score=40, low=37, high=46), Estimate(score=60, low=56, high=68)])
    assert mean == Estimate(score=50.0, low=47.5, high=55.0)  # hypot(3, 4) / 2 and hypot(6, 8) / 2


def test_one_benchmark_keeps_its_interval() -> None:
    assert mean_of_benchmarks([Estimate(score=3, low=0, high=9)]) == Estimate(score=3.0, low=0.0, high=9.0)


def test_no_interval_if_one_has_none() -> None:
    assert mean_of_benchmarks([Estimate(score=40, low=37, high=46), Estimate(score=60)]) == Estimate(
        score=50.0
    )


def test_one_seed_is_itself() -> None:
    one = Estimate(score=40, low=37, high=46)
    assert mean_of_seeds([one]) is one


def test_scores_alone_give_no_interval_over_seeds() -> None:
    seeds = [Estimate(score=score, low=score - 3, high=score + 4) for score in (49.0, 50.0, 54.0)]
    assert mean_of_seeds(seeds) == Estimate(score=51.0)


def test_different_models_share_the_error_of_question_sampling() -> None:
    models = [Estimate(score=40, low=36, high=42), Estimate(score=60, low=58, high=68)]
    assert mean_of_models(models) == Estimate(score=50.0, low=47.0, high=55.0)  # 4 and 2, 2 and 8, averaged
    assert mean_of_models([Estimate(score=40), Estimate(score=60)]) == Estimate(score=50.0)


def test_a_difference_adds_opposite_sides() -> None:
    first, second = Estimate(score=60, low=57, high=68), Estimate(score=50, low=44, high=54)
    assert difference(first, second) == Estimate(score=10.0, low=5.0, high=20.0)  # hypot(3, 4), hypot(8, 6)
    assert difference(first, Estimate(score=50)) == Estimate(score=10.0)


def test_percent_change_of_a_certain_score_is_that_of_the_ends() -> None:
    change = percent_change(Estimate(score=50, low=50, high=50), Estimate(score=60, low=55, high=70))
    assert change is not None
    assert (change.score, change.low, change.high) == pytest.approx((20.0, 10.0, 40.0), abs=1e-9)


def test_percent_change_of_two_uncertain_scores() -> None:
    change = percent_change(Estimate(score=50, low=45, high=55), Estimate(score=60, low=54, high=66))
    assert change is not None
    # the ends are the ratios r at which 60 - 50 r is as far from 0 as its own interval reaches
    assert change.low is not None
    assert change.high is not None
    for end in (change.low, change.high):
        ratio = 1 + end / 100
        assert (60 - 50 * ratio) ** 2 == pytest.approx(6**2 + (5 * ratio) ** 2, abs=1e-9)
    assert change.low < 20 < change.high


def test_percent_change_without_ends() -> None:
    after = Estimate(score=60, low=54, high=66)
    assert percent_change(Estimate(score=0, low=0, high=4), after) is None
    assert percent_change(Estimate(score=2, low=0, high=3), after) == Estimate(score=2900.0)
    assert percent_change(Estimate(score=2, low=1, high=4), after) == Estimate(score=2900.0)
    assert percent_change(Estimate(score=50), Estimate(score=60)) == Estimate(score=pytest.approx(20.0))
