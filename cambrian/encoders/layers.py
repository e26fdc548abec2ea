"""Building blocks of the tiny encoders and of the text tower that trains some of them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """A pre-norm transformer block with full attention."""

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        assert width % heads == 0, f"width {width} is not divisible by {heads} heads"
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, expansion * width)
        self.mlp_out = nn.Linear(expansion * width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Transform `x` (B, N, C); tokens where `mask` (boolean, B, 1, 1, N) is False are not attended to."""
        batch, count, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, count, 3, self.heads, width // self.heads)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, C / heads)
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(batch, count, width))
        return x + self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(x)), approximate="tanh"))


class ConvBlock(nn.Module):
    """Depthwise convolution, norm and a pointwise MLP, after ConvNeXt (Liu et al., 2022)."""

    def __init__(self, width: int, kernel: int, expansion: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, expansion * width)
        self.mlp_out = nn.Linear(expansion * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform `x` (B, C, h, w), stored channels last, into the same shape."""
        mixed = self.norm(self.depthwise(x).permute(0, 2, 3, 1))  # (B, h, w, C)
        update = self.mlp_out(F.gelu(self.mlp_in(mixed), approximate="tanh"))
        return x + update.permute(0, 3, 1, 2)


def grid_positions(side: int, width: int) -> Tensor:
    """Fixed sine and cosine embedding (side * side, width): half for the row, half for the column.

    Coordinates run over [0, 1], so a small crop of a grid gets the embedding of the whole at fewer points.
    """
    assert width % 4 == 0, f"width {width} must be divisible by 4"
    coordinates = (torch.arange(side) + 0.5) / side
    frequencies = math.pi * torch.logspace(0, 1, width // 4, base=8.0)
    angles = coordinates[:, None] * frequencies  # (side, width / 4)
    axis = torch.cat([angles.sin(), angles.cos()], dim=-1)  # (side, width / 2)
    rows = axis[:, None, :].expand(side, side, -1)
    columns = axis[None, :, :].expand(side, side, -1)
    return torch.cat([rows, columns], dim=-1).reshape(side * side, width)


def initialize(module: nn.Module) -> None:
    """Fill weights of linear and convolution layers with variance 1 / inputs, biases with zeros."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            inputs = layer.weight[0].numel()
            nn.init.trunc_normal_(layer.weight, std=inputs**-0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
