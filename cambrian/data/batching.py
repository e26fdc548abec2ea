"""Which examples make up the batch of a step, and examples as tensors.

Shapes: S samples, T positions, B images (samples without one have no row), R resolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cambrian.data.conversation import Pictures
from cambrian.data.pictures import Size, View
from cambrian.data.tokenization import IGNORED, Example


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples as tensors on one device."""

    ids: tuple[str, ...]
    input_ids: Tensor
    """(S, T) long."""
    labels: Tensor
    """(S, T) long, `IGNORED` where nothing is supervised."""
    attention_mask: Tensor
    """(S, T) bool, False on padding."""
    placeholder: Tensor
    """(S, T) bool, True where the positions of an image go."""
    images: dict[View, Tensor]
    """View -> uint8 (B, R, R, 3), for the samples that have an image, in their order; may be empty."""
    features: tuple[Tensor, ...] = ()
    """(B, g, g, C) of every encoder, where they are known and images need not be looked at."""
    places: tuple[int, ...] = ()
    """(B,) where the images are in their data set."""
    sizes: Tensor | None = None
    """(B, 2) long, width and height of the images before they were padded; None if the border is kept."""

    @property
    def shows(self) -> bool:
        """Whether there is any image."""
        return bool(self.images or self.features)

    def to(self, device: torch.device | str) -> Batch:
        """Move to `device`, behind the caller's back if it is pinned."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """Copy into memory that a GPU can fetch from by itself."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return replace(
            self,
            input_ids=change(self.input_ids),
            labels=change(self.labels),
            attention_mask=change(self.attention_mask),
            placeholder=change(self.placeholder),
            images={view: change(images) for view, images in self.images.items()},
            features=tuple(change(features) for features in self.features),
            sizes=None if self.sizes is None else change(self.sizes),
        )


def collate(
    examples: Sequence[Example],
    images: dict[View, Tensor],
    *,
    pad_id: int,
    padding: Literal["left", "right"],
    sizes: Sequence[Size | None] = (),
) -> Batch:
    """Pad to the longest example: on the right for training, on the left for generation.

    `sizes` are those of the images, in the order of `images`; none if their borders are kept.
    """
    length = max(len(example.input_ids) for example in examples)
    shape = (len(examples), length)
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    attention_mask = np.zeros(shape, dtype=bool)
    placeholder = np.zeros(shape, dtype=bool)
    for row, example in enumerate(examples):
        count = len(example.input_ids)
        span = slice(0, count) if padding == "right" else slice(length - count, length)
        input_ids[row, span] = example.input_ids
        labels[row, span] = example.labels
        attention_mask[row, span] = True
        placeholder[row, span] = example.placeholder
    return Batch(
        ids=tuple(example.id for example in examples),
        input_ids=torch.from_numpy(input_ids),
        labels=torch.from_numpy(labels),
        attention_mask=torch.from_numpy(attention_mask),
        placeholder=torch.from_numpy(placeholder),
        images=images,
        sizes=_as_tensor(sizes),
    )


def cut_by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Cut a batch into parts of at most `size` examples that need little padding; gives their places.

    The longest come first, so that memory is short at once if it is at all. A batch that needs no cut keeps
    its order.
    """
    places = list(range(len(lengths)))
    if len(places) > size:
        places.sort(key=lambda place: -lengths[place])
    return [places[start : start + size] for start in range(0, len(places), size)]


def load_images(
    pictures: Pictures, indices: Sequence[int | None], views: Sequence[View]
) -> dict[View, Tensor]:
    """Fetch the images of the samples that have one, for each of the views; empty if none has one."""
    present = [index for index in indices if index is not None]
    if not present:
        return {}
    found = pictures(present, views)
    return {view: torch.from_numpy(np.array(found[view])) for view in dict.fromkeys(views)}


def _as_tensor(sizes: Sequence[Size | None]) -> Tensor | None:
    """(B, 2) long; one that is not known is that of a square."""
    if all(size is None for size in sizes):
        return None
    return torch.tensor([size or (1, 1) for size in sizes], dtype=torch.long)


class ConversationBatches:
    """Says which examples the global batch of a step holds: each epoch is a permutation of its own."""

    def __init__(self, *, size: int, epochs: float, batch_size: int, seed: int) -> None:
        """Plan `epochs` passes (a fraction leaves out the rest of the last one) over `size` examples."""
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.total = round(size * epochs)
        self.steps = math.ceil(self.total / batch_size)
        self._order = (-1, np.empty(0, dtype=np.int64))

    def indices(self, step: int) -> list[int]:
        """Give the examples of 0-based `step`; the last batch takes what is left."""
        assert 0 <= step < self.steps, (step, self.steps)
        first = step * self.batch_size
        positions = range(first, min(first + self.batch_size, self.total))
        return [int(self._permutation(at // self.size)[at % self.size]) for at in positions]

    def _permutation(self, epoch: int) -> np.ndarray:
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng([self.seed, epoch]).permutation(self.size))
        return self._order[1]
