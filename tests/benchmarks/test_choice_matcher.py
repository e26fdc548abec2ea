"""The multiple-choice matcher on a published set of answers, and on anything at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.choice import parse_choice

OPTIONS = ("chair", "bookcase", "table", "lamp")

ANSWERABLE = {
    "letter": ("B", "B"),
    "small letter": ("b", "B"),
    "brackets": ("(B)", "B"),
    "full stop": ("B.", "B"),
    "one bracket": ("b)", "B"),
    "bold": ("**B**", "B"),
    "sentence": ("The answer is B", "B"),
    "sentence with brackets": ("The answer is (B)", "B"),
    "sentence with colon": ("The answer is: B", "B"),
    "sentence with newline": ("The answer is:\n\nB.", "B"),
    "answer with bold": ("Answer: **C**", "C"),
    "capitals": ("ANSWER: D", "D"),
    "letter and text": ("B. bookcase", "B"),
    "bracket and text": ("(B) bookcase", "B"),
    "text and letter": ("The bookcase (B)", "B"),
    "text": ("bookcase", "B"),
    "text with article": ("A bookcase.", "B"),
    "text in a sentence": ("The object closest to the camera is the lamp.", "D"),
    "letter at the end": ("The object closest to the camera is D.", "D"),
    "capital B of Based": ("Based on the image, the object closest to the camera is (D)", "D"),
    "article A first": ("A chair is visible, but the object closest to the camera is (C)", "C"),
    "option": ("I would say option C", "C"),
    "letter, then reason": ("C\nBecause the table stands in front of the chair.", "C"),
    "A that is a letter": ("A is the right choice", "A"),
}
REFUSED = {
    "empty": "",
    "white space": " \n\t ",
    "cannot tell": "I cannot tell.",
    "none of the above": "None of the above",
    "letter out of range": "E",
    "other word": "Apple",
}

MORE = {
    "not X but Y": ("The answer is not A but C", "C"),
    "Y, not X": ("The answer is B, not A", "B"),
    "negated text": ("It is not a chair, it is a table.", "C"),
    "declared after mentions": ("The chair is close. The answer is: lamp", "D"),
    "mention after declared": ("The answer is C. The chair is behind it.", "C"),
    "final answer": ("Is the answer A? No. Final answer: D", "D"),
    "but": ("A chair is visible, but the closest is the table.", "C"),
    "boxed": (r"$\boxed{C}$", "C"),
    "boxed text": (r"\boxed{\text{C}}", "C"),
    "tag": ("<answer>D</answer>", "D"),
    "full width": ("\N{FULLWIDTH LEFT PARENTHESIS}B\N{FULLWIDTH RIGHT PARENTHESIS}", "B"),
    "no space": ("Answer:B", "B"),
    "answer is a ...": ("The answer is a table", "C"),
    "doubt, then answer": ("I'm not sure, but the answer is B", "B"),
    "two letters": ("A or B", None),
    "two declared": ("The answer is (B) or (C)", None),
    "letter against text": ("(B) chair", None),
    "declared letter against text": ("The answer is (B) chair", None),
    "options repeated": ("(A) chair (B) bookcase (C) table (D) lamp", None),
    "options listed": ("A. chair\nB. bookcase\nC. table\nD. lamp", None),
    "two texts": ("chair, table", None),
    "negated only": ("It is not a chair", None),
    "neither": ("neither A nor B", None),
    "none of": ("None of A, B", None),
    "B is wrong": ("B is wrong", None),
    "B isn't": ("B isn't right", None),
    "would not choose": ("I would not choose B", None),
    "capital C of Cannot": ("Cannot be determined", None),
    "capital B of Because": ("Because", None),
    "capital D of Don't": ("Don't know", None),
    "plural": ("chairs and lamps", None),
    "all letters": ("ABCD", None),
}

TABLE = ([pytest.param(text, letter, id=name) for name, (text, letter) in {**ANSWERABLE, **MORE}.items()]) + [
    pytest.param(text, None, id=f"refused {name}") for name, text in REFUSED.items()
]


def test_set_is_complete() -> None:
    assert (len(ANSWERABLE), len(REFUSED)) == (24, 6)


@pytest.mark.parametrize(("text", "letter"), TABLE)
def test_reads(text: str, letter: str | None) -> None:
    assert parse_choice(text, OPTIONS) == letter


@pytest.mark.parametrize(
    ("text", "options", "letter"),
    [
        pytest.param("No", ("Yes", "No"), "B", id="yes or no as options"),
        pytest.param("2", ("1", "2", "3"), "B", id="numbers"),
        pytest.param("There are two.", ("1", "2", "3"), "B", id="number words"),
        pytest.param("the coffee table", ("table", "coffee table"), "B", id="longest option wins"),
        pytest.param(
            "It cannot be determined.", ("left", "It cannot be determined"), "B", id="refusal option"
        ),
        pytest.param("not visible", ("visible", "not visible"), "B", id="negation option"),
        pytest.param(
            "It is not visible", ("visible", "not visible"), "B", id="negation option in a sentence"
        ),
        pytest.param("cup", ("cup", "cup", "pan"), None, id="two equal options"),
        pytest.param("B", ("", "?"), "B", id="options without words"),
        pytest.param("H", tuple("stuvwxyz"), "H", id="eight options"),
        pytest.param("Option A", ("a+b", "(c)*"), "A", id="options with special characters"),
        pytest.param("it is a+b", ("a+b", "(c)*"), "A", id="special characters in the answer"),
    ],
)
def test_reads_with_other_options(text: str, options: tuple[str, ...], letter: str | None) -> None:
    assert parse_choice(text, options) == letter


@settings(deadline=None)
@given(
    letter=st.sampled_from("ABCDE"),
    shape=st.sampled_from(
        [
            "{}",
            "({})",
            "{}.",
            "{})",
            "**{}**",
            "[{}]",
            "Answer: {}",
            "The answer is ({}).",
            "Option {}",
            " {}\n",
            "The correct option is: {}.",
            "I choose {}.",
            "\\boxed{{{}}}",
            "My final answer is {}",
        ]
    ),
    lower=st.booleans(),
)
def test_a_label_is_read_in_every_shape(letter: str, shape: str, lower: bool) -> None:
    options = ("red shoe", "green hat", "blue coat", "old boot", "wool sock")
    assert parse_choice(shape.format(letter.lower() if lower else letter), options) == letter


@settings(deadline=None)
@given(text=st.text(), options=st.lists(st.text(), min_size=1, max_size=26))
def test_any_text_gives_a_known_letter_or_none(text: str, options: list[str]) -> None:
    letter = parse_choice(text, options)
    assert letter is None or 0 <= ord(letter) - ord("A") < len(options)


OTHER_WORDS = ("the", "room", "sky", "dog", "Apple", "Cannot", "Because", "Don't", "see")


@settings(deadline=None)
@given(words=st.lists(st.sampled_from(OTHER_WORDS), max_size=8))
def test_words_that_name_no_option_are_no_answer(words: list[str]) -> None:
    assert parse_choice(" ".join(words), OPTIONS) is None
