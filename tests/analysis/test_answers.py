"""Intervals of weighted sums of scores, from credits of single questions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import answers, credits_of

from analysis.answers import NO_ANSWERS, Answers, Sum, add, mean_of
from analysis.changes import percent_change
from analysis.paired import compare
from analysis.published import AVERAGE
from analysis.statistics import Estimate
from analysis.units import Credits

RUNS = tuple(f"run{number:02d}" for number in range(6))
SHAPES = {"one": "plain", "two": "graded", "three": "clustered"}
"""Benchmark -> how its answers are made up."""
GROUPS = {"general": [["one", "two"]], "knowledge": [["three"]], AVERAGE: [["one", "two"], ["three"]]}


@pytest.fixture(scope="module")
def credits() -> list[Credits]:
    generator = np.random.default_rng(3)
    categories = {"one": "general", "two": "general", "three": "knowledge"}
    return [
        credits_of(shape, answers(shape, generator, (3, 3), 0.2), name, categories[name])
        for name, shape in SHAPES.items()
    ]


def answers_of(credits: list[Credits], **fewer: frozenset[str]) -> Answers:
    """All six runs on all benchmarks, but for the runs in `fewer`."""
    return Answers(
        asked={run: fewer.get(run, frozenset(SHAPES)) for run in RUNS}, groups=GROUPS, read=lambda: credits
    )


def score(credits: list[Credits], known: Answers, runs: tuple[str, ...], name: str) -> Sum:
    """With the value that follows from the credits."""
    one = known.score(runs, name, 0.0)
    means = {each.benchmark: each for each in credits}
    value = sum(
        weight * 100 * means[name].sighted[[means[name].runs.index(run) for run in seeds]].mean()
        for (seeds, name), weight in one.weights.items()
    )
    return Sum(value=float(value), weights=one.weights)


@pytest.mark.parametrize("name", [*SHAPES, "general", "knowledge", AVERAGE])
def test_a_gap_is_the_difference_that_compare_finds(credits: list[Credits], name: str) -> None:
    known = answers_of(credits)
    first, second = (score(credits, known, runs, name) for runs in (RUNS[:3], RUNS[3:]))
    found = known.estimate(add(first, second.times(-1)))
    differences = {one.name: one for one in compare(credits, RUNS[:3], RUNS[3:]).differences}
    expected = differences[name]
    assert (found.score, found.low, found.high) == pytest.approx(
        (expected.difference, expected.low, expected.high), abs=1e-4
    )


def test_a_mean_counts_the_seeds_that_have_all_of_it(credits: list[Credits]) -> None:
    known = answers_of(credits, run01=frozenset({"one"}))
    assert {seeds for seeds, _ in known.score(RUNS[:3], "one", 50.0).weights} == {RUNS[:3]}
    assert known.score(RUNS[:3], AVERAGE, 50.0).weights == {
        (("run00", "run02"), "one"): 0.25,
        (("run00", "run02"), "two"): 0.25,
        (("run00", "run02"), "three"): 0.5,
    }


def test_without_answers_of_all_there_is_no_interval(credits: list[Credits]) -> None:
    known = answers_of(credits[:2])
    assert known.estimate(known.score(RUNS[:3], "three", 50.0)) == Estimate(score=50.0)
    assert known.estimate_score(known.score(RUNS[:3], AVERAGE, 50.0)) == Estimate(score=50.0)
    assert known.estimate_score(known.score(RUNS[:3], "general", 50.0)).low is not None
    published = known.score((), "one", 40.0)
    both = add(known.score(RUNS[:3], "one", 50.0), published.times(-1))
    assert known.estimate(both) == Estimate(score=10.0)
    assert NO_ANSWERS.estimate(NO_ANSWERS.score(RUNS[:3], "one", 50.0)) == Estimate(score=50.0)


def test_runs_that_were_asked_other_questions_do_not_go_together(credits: list[Credits]) -> None:
    apart = credits_of("MMVP", np.ones((1, 150)), "one")
    first = [
        Credits(**{**vars(apart), "runs": ("run05",)}),
        Credits(**{**vars(credits[0]), "runs": (*RUNS[:5], "other")}),
    ]
    known = answers_of(first)
    assert known.estimate_score(known.score(RUNS[3:], "one", 50.0)).low is None
    assert known.estimate_score(known.score(RUNS[:3], "one", 50.0)).low is not None
    assert known.estimate_score(known.score(RUNS[5:], "one", 100.0)).low == pytest.approx(97.5, abs=0.1)


def test_scores_at_the_ends_keep_a_width_and_stay_inside() -> None:
    rows = np.vstack([np.ones((3, 300)), np.zeros((3, 300))])
    credits = [credits_of("plain", rows, "one")]
    known = answers_of(credits)
    top = known.estimate_score(known.score(RUNS[:3], "one", 100.0))
    bottom = known.estimate_score(known.score(RUNS[3:], "one", 0.0))
    assert top.high == 100.0 and top.low == pytest.approx(98.7, abs=0.1)
    assert bottom.low == 0.0 and bottom.high == pytest.approx(1.3, abs=0.1)


def test_a_change_that_both_questions_and_seeds_resolve(credits: list[Credits]) -> None:
    known = answers_of(credits)
    before, after = (score(credits, known, runs, "one") for runs in (RUNS[:3], RUNS[3:]))
    found = known.estimate(percent_change(before, after))
    gap = known.estimate(add(after, before.times(-after.value / before.value)))
    assert gap.score == pytest.approx(0.0)
    assert found.low is not None and gap.low is not None
    assert found.score == pytest.approx(100 * (after.value / before.value - 1))
    assert found.score - found.low == pytest.approx(-gap.low * 100 / before.value)


values = st.floats(-100, 100)
sums = st.builds(
    lambda value, weight, run: Sum(value=value, weights={((run,), "one"): weight}),
    values,
    st.floats(-2, 2),
    st.sampled_from(RUNS),
)


@given(st.lists(sums, min_size=1, max_size=5), st.floats(-3, 3))
def test_sums_are_linear(many: list[Sum], factor: float) -> None:
    one, other = add(*many).times(factor), add(*(each.times(factor) for each in many))
    assert one.value == pytest.approx(other.value, abs=1e-9)
    assert one.weights == pytest.approx(other.weights, abs=1e-9)
    assert mean_of(many).value == pytest.approx(sum(each.value for each in many) / len(many), abs=1e-9)
