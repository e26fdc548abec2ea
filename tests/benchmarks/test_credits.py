"""What one answer is worth in each measure, on values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks import credits
from cambrian.benchmarks.distance import levenshtein
from cambrian.benchmarks.m4c import spell
from cambrian.benchmarks.matchers import MATCHERS
from cambrian.benchmarks.records import Question

OPEN = Question(id="q", image="i", prompt="p", answer="x", options=())


def credit(name: str, raw: str, *wanted: str, question: Question = OPEN, matcher: str = "text") -> float:
    """Read `raw` and the accepted answers with a matcher, and credit the one by the others."""
    chosen = MATCHERS[matcher]
    read = chosen.parse(raw, question.options)
    accepted = [target for one in wanted if (target := chosen.wanted(one, question.options))]
    return 0.0 if read is None or not accepted else getattr(credits, name)(chosen, read, accepted, question)


def plain_distance(first: str, second: str) -> int:
    """The textbook's table, row by row."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, row = row, [i]
        for j, b in enumerate(second, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


@settings(deadline=None)
@given(first=st.text(alphabet="abcd", max_size=80), second=st.text(alphabet="abcd", max_size=80))
def test_distance_is_the_textbooks(first: str, second: str) -> None:
    assert levenshtein(first, second) == plain_distance(first, second)


@pytest.mark.parametrize(
    ("raw", "wanted", "value"),
    [
        ("42", "42", 1.0),
        ("42%", "42", 1.0),
        ("42", "42%", 1.0),
        ("$1,050", "1000", 1.0),
        ("1051", "1000", 0.0),
        ("95.2", "100", 1.0),
        ("94.9", "100", 0.0),
        ("The value is 42.", "42", 1.0),
        ("0", "0", 1.0),
        ("nan", "42", 0.0),
        ("inf", "inf", 1.0),
        ("Blue.", "blue", 1.0),
        ("the blue bar", "blue bar", 1.0),
        ("Group 2", "Group 1", 0.0),
        ("", "blue", 0.0),
    ],
)
def test_relaxed(raw: str, wanted: str, value: float) -> None:
    assert credit("relaxed", raw, wanted) == value


@pytest.mark.parametrize(
    ("raw", "wanted", "value"),
    [
        ("Coca-Cola", ("coca-cola",), 1.0),
        # One of ten characters differs; one of four; half of four is too much.
        ("statements", ("statement5",), 0.9),
        ("lamb", ("lamp",), 0.75),
        ("lamb", ("lime",), 0.0),
        ("lamp", ("wholly different", "lamb"), 0.75),
        ("The answer is lamp.", ("lamp",), 1.0),
        ("lamp " * 50, ("lamp",), 0.0),
        ("", ("lamp",), 0.0),
    ],
)
def test_anls(raw: str, wanted: tuple[str, ...], value: float) -> None:
    assert credit("anls", raw, *wanted) == pytest.approx(value)


@pytest.mark.parametrize(
    ("agreeing", "value"),
    # One of ten: 0 for the one who is left out, 1/3 for nine others, and so on.
    [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)],
)
def test_vqa_accuracy_over_ten_people(agreeing: int, value: float) -> None:
    people = ["Two dogs"] * agreeing + ["cat"] * (10 - agreeing)
    assert credit("vqa_accuracy", "2 dogs.", *people) == pytest.approx(value)


def test_vqa_accuracy_of_an_unanswerable_question() -> None:
    assert credit("vqa_accuracy", "Unanswerable", *["unanswerable"] * 10) == 1.0


@pytest.mark.parametrize(
    ("raw", "wanted", "part", "value"),
    [
        ("The text in the image is CENTRE.", "centre", "", 1.0),
        ("12", "1", "", 0.0),
        ("$12.50 in all", "12.50", "", 1.0),
        ("I cannot read it", "read", "", 0.0),
        ("x ^ 2 + y", "x^2+y", credits.HANDWRITTEN, 1.0),
        ("x ^ 3 + y", "x^2+y", credits.HANDWRITTEN, 0.0),
    ],
)
def test_contains(raw: str, wanted: str, part: str, value: float) -> None:
    question = Question(id="q", image="i", prompt="p", answer=wanted, options=(), part=part)
    assert credit("contains", raw, wanted, question=question) == value


@pytest.mark.parametrize(
    ("raw", "wanted", "options", "value"),
    [
        ("First ... so the answer is (B)", "B", ("1", "2"), 1.0),
        ("The answer is 1.449", "1.45", (), 1.0),
        ("1.4", "1.45", (), 0.0),
        ("12.2", "12", (), 1.0),
        ("95.2", "100", (), 0.0),
        ("[1, 2]", "[1,2]", (), 1.0),
        ("[2, 1]", "[1,2]", (), 0.0),
        ("Yes.", "yes", (), 1.0),
    ],
)
def test_mathvista(raw: str, wanted: str, options: tuple[str, ...], value: float) -> None:
    question = Question(id="q", image="i", prompt="p", answer=wanted, options=options)
    assert credit("mathvista", raw, wanted, question=question, matcher="choice") == value


@pytest.mark.parametrize(
    ("answer", "spelt"),
    [
        ("The Dog!", "dog"),
        ("2,000", "2000"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("Two", "2"),
        ("eleven", "eleven"),
        ("none", "0"),
        ("t-shirt", "t shirt"),
        ("3.5.", "3.5"),
        ("U.S.A.", "usa"),
        ("dog's", "dog 's"),
    ],
)
def test_the_official_spelling(answer: str, spelt: str) -> None:
    assert spell(answer) == spelt


@pytest.mark.parametrize("name", ["exact", "relaxed", "anls", "vqa_accuracy", "contains", "mathvista"])
@settings(deadline=None)
@given(raw=st.text(max_size=60), wanted=st.text(min_size=1, max_size=60))
def test_every_credit_is_a_share(name: str, raw: str, wanted: str) -> None:
    assert 0.0 <= credit(name, raw, wanted) <= 1.0
