"""What every vision encoder gives its neighbours: a square grid of features.

Shape legend: B images, R resolution in pixels, g grid side, C feature width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cambrian.data.pictures import View

Colour = tuple[int, int, int]
"""Red, green, blue, from 0 to 255."""


class VisionEncoder(nn.Module):
    """Turns images into a grid of features; subclasses write `features`."""

    shape: ClassVar[type]
    """Dataclass of the settings that an architecture of this kind has."""

    padding: Colour = (127, 127, 127)
    """What images that are not square are filled up with: this encoder's grey."""

    def __init__(self, *, architecture: Mapping[str, Any], resolution: int, grid: int, width: int) -> None:
        super().__init__()
        self.architecture = dict(architecture)
        """The plain dict that builds this encoder again."""
        self.resolution = resolution
        """Side of the input images in pixels."""
        self.grid = grid
        """Side of the feature grid."""
        self.width = width
        """Channels of one feature."""

    @property
    def view(self) -> View:
        """How its images are made ready."""
        return View(self.resolution, self.padding)

    def forward(self, images: Tensor) -> Tensor:
        """Encode uint8 `images` (B, R, R, 3) as float features (B, g, g, C).

        Raises:
            ValueError: if the images are not uint8 of this encoder's resolution.
        """
        expected = (self.resolution, self.resolution, 3)
        if images.dtype != torch.uint8 or images.shape[1:] != expected:
            given = f"{images.dtype} {tuple(images.shape)}"
            raise ValueError(f"images must be torch.uint8 (B, {', '.join(map(str, expected))}), got {given}")
        return self.features(self.normalize(images))

    def normalize(self, images: Tensor) -> Tensor:
        """Turn uint8 `images` (B, R, R, 3) into what the network reads, (B, 3, R, R)."""
        return normalize(images)

    def features(self, pixels: Tensor) -> Tensor:
        """Encode normalised `pixels` (B, 3, R, R) as (B, g, g, C)."""
        raise NotImplementedError

    def block_groups(self) -> list[list[nn.Module]]:
        """Its blocks from the first to the last, each with what stands between it and the next.

        The last one has the final norm with it. Empty if this network has no blocks that can be told apart.
        """
        return []

    def train(self, mode: bool = True) -> VisionEncoder:
        """Take only those parts into training mode that train.

        What is frozen stays in evaluation mode whatever is said to the model around it, so that dropout and
        stochastic depth never make its features random.
        """
        super().train(False)
        if mode:
            _train_what_trains(self)
        return self


def _train_what_trains(module: nn.Module) -> None:
    """Set `module` to training mode if all its parameters train, else go on with its children."""
    trained = [parameter.requires_grad for parameter in module.parameters()]
    if trained and all(trained):
        nn.Module.train(module, True)
    elif any(trained):
        for child in module.children():
            _train_what_trains(child)


def normalize(images: Tensor) -> Tensor:
    """Map uint8 (B, R, R, 3) to float (B, 3, R, R) in [-1, 1], laid out channels last in memory."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1.0
