"""Rows in LLaVA's format: what a row must be, and what is wrong with one that is not.

    {"id": "...", "image": "folder/name.jpg", "conversations": [
        {"from": "human", "value": "<image>\\nWhat is this?"}, {"from": "gpt", "value": "A cup."}, ...]}

`images`, a list, may stand for `image`; rows of text alone have neither. A mark `<image>` shows where in the
conversation the image is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cambrian.data.conversation import Turn

MARK = "<image>"
SPEAKERS = ("human", "gpt")


@dataclass(frozen=True, kw_only=True)
class LlavaRow:
    """One conversation as the file tells it."""

    id: str
    image: str | None
    """Path below the folder of images; None for text alone."""
    turns: tuple[Turn, ...]
    shown: int
    """Turn in whose question the image is; 0 without one."""


def parse_row(row: object) -> LlavaRow:
    """Read a row.

    Raises:
        ValueError: saying what is wrong with it; nothing is repaired.
    """
    if not isinstance(row, Mapping):
        raise ValueError(f"a row is a JSON object, this is {_name(row)}")
    turns = _turns(row.get("conversations"))
    image = _image(row)
    shown = [index for index, (question, _) in enumerate(turns) for _ in range(question.count(MARK))]
    if any(MARK in answer for _, answer in turns):
        raise ValueError(f"{MARK} stands in an answer")
    if len(shown) != (image is not None):
        given = "an image" if image else "no image"
        raise ValueError(f"{given}, but {len(shown)} marks {MARK}")
    if not any(answer.strip() for _, answer in turns):
        raise ValueError("nothing to learn: every answer is empty")
    return LlavaRow(
        id=_id(row.get("id")),
        image=image,
        turns=tuple(Turn(question=_without_mark(question), answer=answer) for question, answer in turns),
        shown=shown[0] if shown else 0,
    )


def _turns(said: object) -> list[tuple[str, str]]:
    """Pair questions with their answers."""
    if not isinstance(said, list) or not said:
        raise ValueError(f"'conversations' is a list of what was said, this is {_name(said)}")
    values = []
    for index, one in enumerate(said):
        if not isinstance(one, Mapping) or not isinstance(one.get("value"), str):
            raise ValueError(f'item {index} of \'conversations\' is not {{"from": ..., "value": text}}')
        expected = SPEAKERS[index % 2]
        if one.get("from") != expected:
            raise ValueError(
                f"item {index} of 'conversations' is from {one.get('from')!r}, but {expected!r} has its turn"
            )
        values.append(_whole(one["value"], index))
    if len(values) % 2:
        raise ValueError("the last question has no answer")
    return list(zip(values[::2], values[1::2], strict=True))


def _whole(text: str, index: int) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"item {index} of 'conversations' holds half a character (a lone surrogate)"
            ) from error
    return text


def _image(row: Mapping[str, Any]) -> str | None:
    if row.get("image") is not None and row.get("images") is not None:
        raise ValueError("both 'image' and 'images'")
    given = row.get("images") if row.get("image") is None else row.get("image")
    paths = given if isinstance(given, list) else [] if given is None else [given]
    if len(paths) > 1:
        raise ValueError(f"{len(paths)} images; a conversation is about one or none")
    if any(not isinstance(path, str) or not path for path in paths):
        raise ValueError(f"the image is {_name(paths[0])}, not the path of a file")
    return paths[0] if paths else None


def _id(given: object) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise ValueError(f"'id' is a text or a number, this is {_name(given)}")
    return str(given)


def _without_mark(question: str) -> str:
    """The question itself: the mark and the line break that sets it off are form, which a template gives."""
    return question.replace(MARK, "").strip()


def _name(value: object) -> str:
    if value is None:
        return "missing"
    names: dict[type, str] = {str: "a text", list: "a list", dict: "an object", bool: "true or false"}
    kind = names.get(type(value), "a number")
    return f"{kind} that is empty" if value in ("", [], {}) else kind
