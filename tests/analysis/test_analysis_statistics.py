"""Intervals of means, against values worked out by hand."""

from __future__ import annotations

from analysis.statistics import (
    Estimate,
    mean_of_benchmarks,
    mean_of_seeds,
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
