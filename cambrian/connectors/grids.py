"""Geometry of token grids: resizing, windows, and which cells show the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.connectors.table import padding


def resize(tokens: Tensor, side: int) -> Tensor:
    """Resize a grid (B, s, s, C) to (B, side, side, C), bilinear in float32 without antialiasing.

    A grid that has the side already comes back as it is.
    """
    if tokens.shape[1] == side:
        return tokens
    channels_first = tokens.permute(0, 3, 1, 2).float()  # (B, C, s, s)
    resized = F.interpolate(channels_first, size=(side, side), mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1).to(tokens.dtype)


def join_channels(grids: Sequence[Tensor], side: int) -> Tensor:
    """Resize grids (B, s_k, s_k, C_k) to one side, put channels together: (B, side, side, sum of C_k)."""
    return torch.cat([resize(grid, side) for grid in grids], dim=-1)


def pool(tokens: Tensor, side: int) -> Tensor:
    """Average a grid (B, s, s, C) with s >= side down to (B, side, side, C).

    Where s is no multiple of the side, cells overlap: cell i covers rows floor(i*s/side) to
    ceil((i+1)*s/side) - 1.
    """
    channels_first = tokens.permute(0, 3, 1, 2)  # (B, C, s, s)
    return F.adaptive_avg_pool2d(channels_first, side).permute(0, 2, 3, 1)


def to_windows(grid: Tensor, side: int) -> Tensor:
    """Cut a grid (B, s, s, ...) into side*side cells of m*m neighbours: (B, side*side, m*m, ...).

    Cell i*side + j holds rows i*m to i*m + m - 1 and columns j*m to j*m + m - 1, row by row.
    """
    batch, grid_side = grid.shape[:2]
    assert grid.shape[2] == grid_side and grid_side % side == 0, (grid.shape, side)
    m = grid_side // side
    cells = grid.unflatten(2, (side, m)).unflatten(1, (side, m))  # (B, side, m, side, m, ...)
    return cells.transpose(2, 3).reshape(batch, side * side, m * m, *grid.shape[3:])


def kept_cells(image_sizes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Which cells of a grid show the image: (B, side, side) bool, and which rows do: (B, side) bool.

    `image_sizes` is (B, 2), (width, height) in pixels before padding to a square.
    """
    borders = [padding(side, int(width), int(height)) for width, height in image_sizes.tolist()]
    border = torch.tensor(borders, device=image_sizes.device).reshape(-1, 2, 1)  # (B, 2, 1) rows, columns
    position = torch.arange(side, device=image_sizes.device)
    inside = (position >= border) & (position < side - border)  # (B, 2, side)
    rows, columns = inside.unbind(1)
    return rows[:, :, None] & columns[:, None, :], rows


def window_mask(image_sizes: Tensor, grid: int, side: int) -> Tensor:
    """Keys that may be attended to, (B, side*side, m*m) bool.

    A window that lies in the border altogether is attended to as a whole, as in the Cambrian-1 release.
    """
    mask = to_windows(kept_cells(image_sizes, grid)[0], side)
    return mask | ~mask.any(dim=-1, keepdim=True)
