"""What all training data is turned into before any tokenizer sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cambrian.errors import DataError

IMAGE_MARK = "<image>"
"""Where the image is, in the questions of LLaVA's format."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A question and its answer; a caption is the answer to an empty question."""

    question: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One training example: turns about one image or about none."""

    id: str
    image: int | None
    """Index among the images of its corpus; None for text alone."""
    turns: tuple[Turn, ...]
    shown: int = 0
    """Turn in front of whose question the image stands."""


def from_llava(row: Mapping[str, Any], id: str, image: int | None) -> Conversation:
    """Read a row of LLaVA's format: `conversations`, from human and gpt in turn.

    `<image>` may stand anywhere in a question; the image then goes in front of that question, as in LLaVA and
    in the study. In a row without an image it is a word like any other.

    Raises:
        DataError: naming the row, if roles are out of order or there is not exactly one place for an image.
    """
    said = row["conversations"]
    roles = [message["from"] for message in said]
    if not said or roles != ["human", "gpt"] * (len(said) // 2):
        raise DataError(f"row '{id}' has messages from {roles}; they must be from human and gpt in turn")
    questions = [message["value"] for message in said[::2]]
    marked = [number for number, text in enumerate(questions) for _ in range(text.count(IMAGE_MARK))]
    if image is not None:
        if len(marked) != 1:
            raise DataError(
                f"row '{id}' has an image and {len(marked)} times {IMAGE_MARK} in its questions; must be one"
            )
        questions[marked[0]] = questions[marked[0]].replace(IMAGE_MARK, "").strip()
    turns = (
        Turn(question=question, answer=message["value"])
        for question, message in zip(questions, said[1::2], strict=True)
    )
    return Conversation(id=id, image=image, turns=tuple(turns), shown=0 if image is None else marked[0])


class Images(Protocol):
    """Gives images by index."""

    def __call__(self, indices: Sequence[int], resolution: int) -> np.ndarray:
        """Give the images as uint8 (B, R, R, 3), R being `resolution` in pixels."""
        ...


class Corpus(Protocol):
    """Conversations and their images, by index."""

    def __len__(self) -> int: ...

    def conversation(self, index: int) -> Conversation:
        """Give the conversation at `index`."""
        ...

    def images(self, indices: Sequence[int], resolution: int) -> np.ndarray:
        """Give the images as uint8 (B, R, R, 3), R being `resolution` in pixels."""
        ...
