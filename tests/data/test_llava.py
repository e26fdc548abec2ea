"""What a row in LLaVA's format must be; each fault has its own reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.data.llava import MARK, parse_row


def said(*values: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[index % 2], "value": value} for index, value in enumerate(values)]


def row(*values: str, **more: Any) -> dict[str, Any]:
    return {"id": "7", "conversations": said(*values), **more}


def test_a_row_with_an_image_says_in_which_question_it_is() -> None:
    found = parse_row(row("Hello", "Hi", f"What is this?\n{MARK}", "A cup.", image="coco/1.jpg"))
    assert (found.id, found.image, found.shown) == ("7", "coco/1.jpg", 1)
    assert [(turn.question, turn.answer) for turn in found.turns] == [
        ("Hello", "Hi"),
        ("What is this?", "A cup."),
    ]


def test_text_alone_and_the_other_spellings() -> None:
    assert parse_row(row("Hello", "Hi")).image is None
    assert parse_row(row("Hello", "Hi", image=None, images=[])).image is None
    assert parse_row(row(f"{MARK}\n", "Hi", images=["a.png"])).image == "a.png"
    assert parse_row({**row("Hello", "Hi"), "id": 12}).id == "12"
    assert parse_row(row(f"{MARK}\n", "Hi", image="a.png")).turns[0].question == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "a row is a JSON object, this is a list that is empty"),
        ({"id": "7"}, "'conversations' is a list of what was said, this is missing"),
        ({"id": "7", "conversations": "Hi"}, "'conversations' .* this is a text"),
        ({"id": "7", "conversations": [{"from": "human"}]}, "item 0 of 'conversations'"),
        ({"id": "7", "conversations": [{"from": "human", "value": 3}]}, "item 0 of 'conversations'"),
        ({"id": "7", "conversations": said("a", "b", "c")}, "the last question has no answer"),
        (
            {"id": "7", "conversations": said("a", "b")[::-1]},
            "item 0 .* 'gpt', but 'human' has its turn",
        ),
        (row("a", "b", image="x.jpg"), "an image, but 0 marks"),
        (row(MARK, "b"), "no image, but 1 marks"),
        (row(MARK + MARK, "b", image="x.jpg"), "an image, but 2 marks"),
        (row(MARK, MARK, image="x.jpg"), "stands in an answer"),
        (row(MARK, "b", images=["x.jpg", "y.jpg"]), "2 images; a conversation is about one or none"),
        (row(MARK, "b", image="x.jpg", images=["x.jpg"]), "both 'image' and 'images'"),
        (row(MARK, "b", image=""), "the image is a text that is empty"),
        (row(MARK, "b", image=7), "the image is a number"),
        (row("a", " "), "nothing to learn"),
        ({"conversations": said("a", "b")}, "'id' is a text or a number, this is missing"),
        ({**row("a", "b"), "id": True}, "'id' is a text or a number"),
    ],
)
def test_each_fault_has_its_reason(content: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_row(content)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "a", MARK, "human", "gpt"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "image", "images", "conversations", "from", "value"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_whatever_the_file_holds_is_read_or_refused_with_a_reason(content: object) -> None:
    try:
        found = parse_row(content)
    except ValueError as fault:
        assert str(fault)
    else:
        assert found.turns
        assert not any(MARK in turn.question + turn.answer for turn in found.turns)
