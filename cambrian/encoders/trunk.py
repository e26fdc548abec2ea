"""What all real encoders share: their own normalisation, and feature maps brought to one grid.

Shape legend: B images, R resolution in pixels, g grid side, s side of a feature map, C feature width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.encoders.base import Colour, VisionEncoder
from cambrian.errors import UserError, unknown_name

POOLINGS = ("bilinear", "average")
NAMED_KEYS = 12
"""Keys of a checkpoint that a message lists before it only counts."""


@dataclass(frozen=True, kw_only=True)
class TrunkShape:
    """Settings that every real encoder has."""

    resolution: int
    grid: int
    """Side of the grid that is given on; other sides of the network's own maps are resized to it."""
    pooling: str = "bilinear"
    """How a map is resized: bilinear (float32, no antialiasing, as in the study) or average (of cells)."""
    layer: int = -1
    """Which block or stage gives the features, counted from the end: -1 is the last."""
    norm: bool | None = None
    """Whether the network's final norm follows; None: after the last layer only."""
    mean: Sequence[float] | None = None
    """Of the red, green and blue that the network was trained on, from 0 to 1."""
    std: Sequence[float] | None = None

    @property
    def normed(self) -> bool:
        """Whether the final norm follows."""
        return self.layer == -1 if self.norm is None else self.norm


class TrunkEncoder(VisionEncoder):
    """A pretrained network without what is behind its features; subclasses write `maps` and `adopt`."""

    def __init__(
        self,
        shape: TrunkShape,
        architecture: Mapping[str, Any],
        *,
        width: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        if shape.pooling not in POOLINGS:
            raise UserError(unknown_name("pooling of an encoder", shape.pooling, POOLINGS))
        full = {**architecture, "mean": list(mean), "std": list(std)}
        super().__init__(architecture=full, resolution=shape.resolution, grid=shape.grid, width=width)
        self.pooling = shape.pooling
        self.mean, self.std = tuple(mean), tuple(std)
        self.padding = padding_colour(mean)

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Feature maps (B, C, s, s) of normalised `pixels` (B, 3, R, R); the sides may differ."""
        raise NotImplementedError

    def adopt(self, source: Path) -> None:
        """Take over the weights of a published checkpoint, a file or a directory.

        Raises:
            UserError: if weights are missing or none of this network's, naming them.
        """
        raise NotImplementedError

    def normalize(self, images: Tensor) -> Tensor:
        """Turn uint8 `images` (B, R, R, 3) into (pixels - mean) / std, (B, 3, R, R), in the weights' type.

        Computed where the images are, in float32.
        """
        mean, std = (torch.tensor(values, device=images.device) * 255 for values in (self.mean, self.std))
        return ((images - mean) / std).permute(0, 3, 1, 2).to(next(self.parameters()).dtype)

    def features(self, pixels: Tensor) -> Tensor:
        """Encode normalised `pixels` (B, 3, R, R) as (B, g, g, C); several maps are joined by channel."""
        maps = [resize(each, self.grid, self.pooling) for each in self.maps(pixels)]
        return torch.cat(maps, dim=1).permute(0, 2, 3, 1)


def resize(features: Tensor, side: int, pooling: str) -> Tensor:
    """Bring a map (B, C, s, s) to (B, C, side, side) in float32, and back to its own type."""
    if features.shape[-2:] == (side, side):
        return features
    if pooling == "average":
        resized = F.adaptive_avg_pool2d(features.float(), side)
    else:
        resized = F.interpolate(features.float(), size=(side, side), mode="bilinear", align_corners=False)
    return resized.to(features.dtype)


def padding_colour(mean: Sequence[float]) -> Colour:
    """The colour that normalisation maps next to zero: 255 times the mean, cut to whole numbers."""
    red, green, blue = (int(255 * value) for value in mean)
    return red, green, blue


def layer_index(layer: int, count: int, what: str) -> int:
    """Turn a layer counted from the end into one counted from the start.

    Raises:
        UserError: if there is no such layer.
    """
    if not -count <= layer <= -1:
        raise UserError(f"{what} has {count} layers, got layer {layer}; choose from -1 (last) to {-count}")
    return count + layer


def check_keys(what: str, *, missing: Iterable[str], unexpected: Iterable[str]) -> None:
    """Refuse a checkpoint whose weights are not those of the network.

    Raises:
        UserError: naming the weights that are missing and those that belong nowhere.
    """
    faults = [
        f"{len(keys)} {word}: {', '.join(keys[:NAMED_KEYS])}{', ...' if len(keys) > NAMED_KEYS else ''}"
        for word, names in (("missing", missing), ("unexpected", unexpected))
        if (keys := sorted(names))
    ]
    if faults:
        raise UserError(f"the weights are not those of {what}: {'; '.join(faults)}")
