"""The lab's encoders, small enough to train in minutes on one core.

Shape legend: B images, R resolution in pixels, g grid side, N tokens, C feature width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.layers import Block, ConvBlock, grid_positions, initialize


@dataclass(frozen=True, kw_only=True)
class ViTShape:
    """Sizes of a `vit`. The grid side is the resolution over 8."""

    resolution: int
    width: int
    depth: int
    """Transformer blocks."""
    heads: int
    expansion: int
    """Width of a block's MLP over that of the tokens."""
    stem: int
    """Channels inside the convolutional stem."""


@dataclass(frozen=True, kw_only=True)
class ConvNetShape:
    """Sizes of a `convnet`. The grid side is the resolution over 8."""

    resolution: int
    width: int
    depths: tuple[int, int]
    """Blocks at 1/4 and at 1/8 of the resolution."""
    kernel: int
    """Side of the depthwise convolutions."""
    expansion: int


@dataclass(frozen=True, kw_only=True)
class PixelsShape:
    """Sizes of `pixels`."""

    resolution: int
    patch: int


class TinyViT(VisionEncoder):
    """A vision transformer on a light convolutional stem (Xiao et al., 2021, arXiv:2106.14881)."""

    shape = ViTShape
    stride = 8

    def __init__(self, shape: ViTShape, architecture: Mapping[str, Any]) -> None:
        grid = shape.resolution // self.stride
        super().__init__(architecture=architecture, resolution=shape.resolution, grid=grid, width=shape.width)
        self.stem = nn.Sequential(
            nn.Conv2d(3, shape.stem, kernel_size=4, stride=4),
            nn.GELU(approximate="tanh"),
            nn.Conv2d(shape.stem, shape.width, kernel_size=3, stride=2, padding=1),
        )
        self.blocks = nn.ModuleList(
            Block(shape.width, shape.heads, shape.expansion) for _ in range(shape.depth)
        )
        self.norm = nn.LayerNorm(shape.width)
        initialize(self)
        self.to(memory_format=torch.channels_last)

    def embed(self, pixels: Tensor) -> Tensor:
        """Cut `pixels` (B, 3, R, R), R any multiple of 8, into tokens with positions (B, N, C)."""
        x = self.stem(pixels)  # (B, C, g, g)
        tokens = x.flatten(2).transpose(1, 2)
        return tokens + grid_positions(x.shape[-1], self.width).to(tokens)

    def encode(self, tokens: Tensor) -> Tensor:
        """Run the blocks and the final norm over any subset of tokens (B, N, C)."""
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def block_groups(self) -> list[list[nn.Module]]:
        """Transformer blocks, the last with the final norm."""
        *groups, last = ([block] for block in self.blocks)
        return [*groups, [*last, self.norm]]

    def features(self, pixels: Tensor) -> Tensor:
        """Encode normalised `pixels` (B, 3, R, R) as (B, g, g, C)."""
        tokens = self.encode(self.embed(pixels))
        return tokens.unflatten(1, (pixels.shape[2] // self.stride, pixels.shape[3] // self.stride))


class TinyConvNet(VisionEncoder):
    """A convolutional network of two stages for larger images, after ConvNeXt (Liu et al., 2022)."""

    shape = ConvNetShape

    def __init__(self, shape: ConvNetShape, architecture: Mapping[str, Any]) -> None:
        super().__init__(
            architecture=architecture,
            resolution=shape.resolution,
            grid=shape.resolution // 8,
            width=shape.width,
        )
        narrow = shape.width // 2
        early, late = shape.depths
        self.stem = nn.Conv2d(3, narrow, kernel_size=4, stride=4)
        self.early = nn.Sequential(*(ConvBlock(narrow, shape.kernel, shape.expansion) for _ in range(early)))
        self.down = nn.Conv2d(narrow, shape.width, kernel_size=2, stride=2)
        self.late = nn.Sequential(
            *(ConvBlock(shape.width, shape.kernel, shape.expansion) for _ in range(late))
        )
        self.norm = nn.LayerNorm(shape.width)
        initialize(self)
        self.to(memory_format=torch.channels_last)

    def block_groups(self) -> list[list[nn.Module]]:
        """Blocks of both stages, the last of the first with the way to the second."""
        groups: list[list[nn.Module]] = [[block] for block in self.early]
        groups[-1].append(self.down)
        groups += [[block] for block in self.late]
        groups[-1].append(self.norm)
        return groups

    def features(self, pixels: Tensor) -> Tensor:
        """Encode normalised `pixels` (B, 3, R, R) as (B, g, g, C)."""
        x = self.early(self.stem(pixels))  # (B, C / 2, 2g, 2g)
        x = self.late(self.down(x))  # (B, C, g, g)
        return self.norm(x.permute(0, 2, 3, 1))


class RawPatches(VisionEncoder):
    """The control without weights: the pixels of each patch in a row."""

    shape = PixelsShape

    def __init__(self, shape: PixelsShape, architecture: Mapping[str, Any]) -> None:
        super().__init__(
            architecture=architecture,
            resolution=shape.resolution,
            grid=shape.resolution // shape.patch,
            width=3 * shape.patch**2,
        )
        self.patch = shape.patch

    def features(self, pixels: Tensor) -> Tensor:
        """Rearrange normalised `pixels` (B, 3, R, R) as (B, g, g, 3 * patch * patch)."""
        patches = F.pixel_unshuffle(pixels, self.patch)  # (B, 3 * patch * patch, g, g)
        return patches.permute(0, 2, 3, 1)
