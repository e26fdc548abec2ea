"""A part of a benchmark keeps pictures and groups whole."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.records import Question
from cambrian.benchmarks.sampling import sample


def question(number: int, image: int, group: int) -> Question:
    return Question(
        id=str(number),
        image=f"i{image}",
        prompt="?",
        answer="yes",
        options=(),
        group=f"g{group}" if group else "",
    )


QUESTIONS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=60).map(
    lambda pairs: [question(number, *pair) for number, pair in enumerate(pairs)]
)


@settings(deadline=None)
@given(QUESTIONS, st.integers(0, 70), st.integers(0, 3))
def test_units_are_whole_and_the_order_stays(questions: list[Question], n: int, seed: int) -> None:
    part = sample(questions, n, seed)
    assert part == [one for one in questions if one in part]
    assert len(part) >= min(n or len(questions), len(questions))
    units = Counter((one.group or one.image) for one in questions)
    assert all(
        units[unit] == count for unit, count in Counter((one.group or one.image) for one in part).items()
    )
    largest = max(units.values())
    assert not n or len(part) < n + largest


@settings(deadline=None)
@given(QUESTIONS, st.integers(1, 30), st.integers(0, 3))
def test_a_larger_sample_holds_a_smaller_one(questions: list[Question], n: int, seed: int) -> None:
    smaller, larger = sample(questions, n, seed), sample(questions, 2 * n, seed)
    assert set(smaller) <= set(larger)


def test_it_depends_on_the_seed_and_not_on_the_order() -> None:
    questions = [question(number, number, 0) for number in range(100)]
    first = sample(questions, 20, 0)
    assert len(first) == 20
    assert first == sample(questions, 20, 0)
    assert first != sample(questions, 20, 1)
    assert set(first) == set(sample(questions[::-1], 20, 0))
