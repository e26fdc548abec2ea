"""What an encoder is pre-trained for: the interface of all objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from torch import Tensor, nn

from cambrian.encoders.base import VisionEncoder
from cambrian.lab.world import Scene

Tensors = dict[str, Tensor]
"""A batch: `images`, uint8 (B, R, R, 3), and what else the objective prepared, the batch first."""


class Objective(nn.Module):
    """Holds the encoder to train and whatever is thrown away after: heads, towers, teachers."""

    def prepare(self, scenes: Sequence[Scene], images: Tensor, rng: Random) -> Tensors:
        """Make a batch. All randomness of a step comes from `rng`, so that any step can be repeated."""
        raise NotImplementedError

    def loss(self, batch: Tensors) -> Tensor:
        """Mean loss of a batch."""
        raise NotImplementedError

    def quality(self, batch: Tensors) -> dict[str, float]:
        """Measure how well the objective is met on a batch, in the objective's own terms."""
        raise NotImplementedError

    def after_step(self, done: float) -> None:
        """Follow an optimizer step; `done` is the part of the training behind it, in [0, 1]."""

    def trained(self) -> VisionEncoder:
        """Give the encoder to keep."""
        raise NotImplementedError


def generator(rng: Random) -> np.random.Generator:
    """Continue `rng` as a generator of arrays."""
    return np.random.default_rng(rng.getrandbits(64))


def spread(mask: Tensor, stride: int) -> Tensor:
    """Blow a mask of patches (B, N) up to pixels (B, 1, r, r), `stride` pixels to a patch."""
    side = math.isqrt(mask.shape[1])
    return mask.view(-1, 1, side, side).repeat_interleave(stride, 2).repeat_interleave(stride, 3)
