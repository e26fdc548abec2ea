"""What all training data is turned into before any tokenizer sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cambrian.data.pictures import Size, View


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


class Pictures(Protocol):
    """Gives images by index."""

    def __call__(self, indices: Sequence[int], views: Sequence[View]) -> Mapping[View, np.ndarray]:
        """Give the images as uint8 (B, R, R, 3) for every view, R being its resolution in pixels."""
        ...


class Corpus(Protocol):
    """Conversations and their images, by index."""

    def __len__(self) -> int: ...

    def conversation(self, index: int) -> Conversation:
        """Give the conversation at `index`."""
        ...

    def place(self, index: int) -> str:
        """File and line of the conversation at `index`; empty if it comes from no file."""
        ...

    def image_size(self, image: int) -> Size | None:
        """Width and height of an image in pixels, before it is padded to a square; None if all are square.

        Raises:
            BadImageError: if the image cannot be used.
        """
        ...

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> Mapping[View, np.ndarray]:
        """Give the images as uint8 (B, R, R, 3) for every view, R being its resolution in pixels."""
        ...
