"""Short answers, yes and no, numbers; and that no text at all makes a matcher raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.matchers import MATCHERS, Parsed, find_matcher, within
from cambrian.benchmarks.text import normalise, refuses
from cambrian.errors import UserError

OPTIONS = ("chair", "bookcase", "table", "lamp")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param("Red", "red", id="case"),
        pytest.param("red.", "red", id="full stop"),
        pytest.param("'red'!", "red", id="quotes"),
        pytest.param("**Red**", "red", id="markup"),
        pytest.param("a dog", "dog", id="article"),
        pytest.param("left of the box", "left of box", id="article inside"),
        pytest.param("a", "a", id="letter a"),
        pytest.param("a b c", "a b c", id="letters that begin with a"),
        pytest.param("the a", "a", id="the letter a"),
        pytest.param("three", "3", id="number word"),
        pytest.param("Twenty-one cars", "21 cars", id="hyphenated number"),
        pytest.param("twenty one", "21", id="number of two words"),
        pytest.param("one thing", "1 thing", id="number in a phrase"),
        pytest.param("1,234", "1234", id="thousands"),
        pytest.param("$1,234.50", "$1234.50", id="money"),
        pytest.param("1,23", "1,23", id="comma that is none of thousands"),
        pytest.param("3.5", "3.5", id="decimal point"),
        pytest.param(".5", ".5", id="leading decimal point"),
        pytest.param("  top \n left ", "top left", id="spaces"),
        pytest.param("Café", normalise("Cafe\u0301"), id="composed accents"),
        pytest.param("10²", "10²", id="superscript"),
        pytest.param("", None, id="empty"),
        pytest.param(" \t\n", None, id="white space"),
        pytest.param("...", None, id="punctuation"),
        pytest.param("I cannot tell", None, id="refusal"),
    ],
)
def test_short(raw: str, value: str | None) -> None:
    assert MATCHERS["short"].read(raw, ()) == Parsed(value=value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [("Chair.", "chair"), ("the lamp", "lamp"), ("sofa", None), ("chair or table", None), ("", None)],
)
def test_short_with_options_takes_only_these(raw: str, value: str | None) -> None:
    assert MATCHERS["short"].read(raw, OPTIONS).value == value


def test_short_keeps_options_apart_that_differ_by_a_superscript() -> None:
    assert MATCHERS["short"].read("10²", ("10²", "102")).value == "10²"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("**Yes**", "yes"),
        ("Yes, there is no dog.", "yes"),
        ("No, there isn't.", "no"),
        ("I would say yes.", "yes"),
        ("The answer is no", "no"),
        ("Answer: Yes", "yes"),
        ("nope", "no"),
        ("There is no dog.", None),
        ("no idea", None),
        ("No way to tell", None),
        ("yes or no", None),
        ("yes and no", None),
        ("not yes", None),
        ("Yesterday", None),
        ("Nobody", None),
        ("maybe", None),
        ("I cannot tell", None),
        ("", None),
    ],
)
def test_yes_no(raw: str, value: str | None) -> None:
    assert MATCHERS["yes_no"].read(raw, ()).value == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("3", "3"),
        ("three", "3"),
        ("There are three chairs.", "3"),
        ("3.", "3"),
        ("3.50", "3.5"),
        (".5", "0.5"),
        ("-7", "-7"),
        ("\N{MINUS SIGN}7", "-7"),
        ("-$5", "-5"),
        ("1,234", "1234"),
        ("$1,234.50", "1234.5"),
        ("42%", "42"),
        ("42 %", "42"),
        ("**7**", "7"),
        ("1e3", "1000"),
        ("3 million", "3000000"),
        ("five hundred", "500"),
        ("twenty-one", "21"),
        ("2 and 2", "2"),
        ("The answer is 12. There are 3 rows of 4.", "12"),
        ("twenty, one", None),
        ("one hundred twenty", "120"),
        ("2 or 3", None),
        ("3-4", None),
        ("1/2", "0.5"),
        ("10:30", None),
        ("1,2", None),
        ("m2", None),
        ("10²", "100"),
        ("nan", None),
        ("inf", None),
        ("9" * 5000, None),
        ("I cannot tell whether 3", None),
        ("", None),
    ],
)
def test_number(raw: str, value: str | None) -> None:
    assert MATCHERS["number"].read(raw, ()).value == value


@pytest.mark.parametrize(
    ("given_number", "wanted", "right"),
    [
        ("95", "100", True),
        ("105", "100", True),
        ("94.9", "100", False),
        # 5 % of the wanted 100 and not of the given 95.2 or 105: the order of the arguments matters.
        ("95.2", "100", True),
        ("100", "95.2", False),
        ("-95", "-100", True),
        ("0", "0", True),
        ("0.01", "0", False),
    ],
)
def test_tolerance_is_relative_to_the_wanted_number(given_number: str, wanted: str, right: bool) -> None:
    assert within(0.05)(given_number, wanted) is right


def test_without_tolerance_numbers_are_equal_or_not() -> None:
    matcher = MATCHERS["number"]
    assert matcher.same("3", "3")
    assert not matcher.same("3.0001", "3")


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I don't know.", True),
        ("Sorry, we cannot say", True),
        ("none of these", True),
        ("No.", False),
        ("nine", False),
    ],
)
def test_refuses(text: str, refused: bool) -> None:
    assert refuses(text) is refused


PIECES = (
    *(
        "answer",
        "is",
        ":",
        "B",
        "(",
        ")",
        "a",
        "not",
        "but",
        "no,",
        "wait",
        "yes",
        "chair",
        "\n",
        " ",
        ".",
        "**",
    ),
    *(
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "\\boxed{",
        "}",
        '{"answer":',
        "<|im_end|>",
        "\\frac{1}{",
        "0}",
    ),
    *(
        "1",
        "2",
        "/",
        "^",
        "\u00b2",
        "1,234",
        "%",
        "$",
        "dozen",
        "hundred",
        "and",
        "twenty-",
        "=",
        "in 2015",
        "total of",
    ),
    *("\u7b54\u6848\u662f", "\u200b", "\ud800", "\u00bd", "\u0663", "5cm", "e999", "sorry", 'reads "'),
)

LONG = {
    "letters": "a" * 100_000,
    "spaces": " " * 100_000,
    "newlines": "\n" * 100_000,
    "dots": "." * 100_000 + "x",
    "digits": "1" * 100_000,
    "words": "chair " * 16_000,
    "declarations": "answer is the option " * 4_800,
    "negations": "not " * 25_000,
    "emoji": "🙂" * 25_000,
    "groups": "1 234 " * 16_000,
    "narrow groups": "1\u00a0" * 50_000,
    "thousands": "1,234" * 20_000,
    "commas": "1," * 50_000,
    "fractions": "1/" * 50_000,
    "corrections": "wait " * 20_000,
    "thoughts": "</think>x" * 10_000,
    "boxes": "\\boxed{" * 12_000,
    "objects": '{"answer": ' * 9_000,
    "stars": "*_" * 50_000,
    "right to left": "\u200fم " * 33_000,
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in LONG.items()])
@pytest.mark.parametrize("name", MATCHERS)
def test_a_hundred_kilobytes_are_read(name: str, text: str) -> None:
    value = MATCHERS[name].read(text, OPTIONS).value
    assert value is None or isinstance(value, str)


@pytest.mark.parametrize("name", MATCHERS)
@settings(deadline=None)
@given(text=st.text() | st.text(alphabet="ABCDabcd()., \nisnot'yes19-%:"))
def test_no_text_makes_a_matcher_raise(name: str, text: str) -> None:
    matcher = MATCHERS[name]
    for options in ((), OPTIONS):
        value = matcher.read(text, options).value
        assert value is None or (value and matcher.same(value, value))


@pytest.mark.parametrize("name", MATCHERS)
@settings(deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=14), options=st.lists(st.text(max_size=8), max_size=26)
)
def test_no_wrapping_makes_a_matcher_raise(name: str, pieces: list[str], options: list[str]) -> None:
    matcher = MATCHERS[name]
    value = matcher.read("".join(pieces), options).value
    assert value is None or matcher.same(value, value)
    assert matcher.read("".join(pieces), options).value == value
    wanted = matcher.wanted("".join(pieces), options)
    assert wanted is None or matcher.same(wanted, wanted)


@settings(deadline=None)
@given(text=st.text(alphabet="atheonwy -'\"1,.5*()", max_size=30))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_unknown_matcher_is_named_with_its_neighbour() -> None:
    with pytest.raises(UserError, match="unknown matcher 'choise'; did you mean 'choice'"):
        find_matcher("choise")
