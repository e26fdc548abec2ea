from __future__ import annotations

from typing import Any

import pytest

from cambrian.data.conversation import Conversation, Turn, from_llava
from cambrian.errors import DataError


def row(*values: str) -> dict[str, Any]:
    roles = ("human", "gpt")
    return {"conversations": [{"from": roles[i % 2], "value": value} for i, value in enumerate(values)]}


@pytest.mark.parametrize(
    "question", ["<image>\nWhat is this?", "What is this?\n<image>", "What <image>is this?"]
)
def test_the_image_goes_in_front_of_its_question(question: str) -> None:
    read = from_llava(row(question, "a cat", "And?", "a dog"), "r", 5)
    turns = (Turn(question="What is this?", answer="a cat"), Turn(question="And?", answer="a dog"))
    assert read == Conversation(id="r", image=5, turns=turns, shown=0)
    later = from_llava(row("Hello ", "Hi", question, "a cat"), "r", 5)
    assert (later.shown, later.turns[1].question) == (1, "What is this?")
    assert later.turns[0].question == "Hello "  # as it is


def test_a_caption_has_no_question() -> None:
    assert from_llava(row("<image>", "a cat"), "r", 0).turns == (Turn(question="", answer="a cat"),)


def test_without_an_image_the_mark_is_a_word() -> None:
    read = from_llava(row("What does <image> mean in HTML?", "nothing"), "r", None)
    assert (read.image, read.turns[0].question) == (None, "What does <image> mean in HTML?")


@pytest.mark.parametrize(
    ("values", "image", "message"),
    [
        (("What?", "a cat"), 1, "row 'r' has an image and 0 times <image>"),
        (("<image><image>", "two"), 1, "2 times <image>"),
        (("<image>", "one", "<image>", "two"), 1, "2 times <image>"),
        (("<image>",), 1, r"messages from \['human'\]; they must be from human and gpt in turn"),
        ((), None, "in turn"),
    ],
)
def test_rows_that_do_not_fit_are_named(values: tuple[str, ...], image: int | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_llava(row(*values), "r", image)
