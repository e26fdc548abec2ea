"""An encoder's tokens cut into the windows that queries look through."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cambrian.connectors.grids import to_windows, window_mask


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Tokens of one encoder, shared by all layers that look through the same windows."""

    tokens: Tensor
    """(B, N, K, C): N windows of K = m*m keys."""
    variance: Tensor | None
    """(B, N, K), over C, at least float32; None when K is 1, where nothing asks for it."""
    mask: Tensor | None
    """(B, N, K) bool, False for keys in the border; None attends to all."""

    def select(self, keep: Tensor) -> Windows:
        """Give the windows where `keep` (B, N) is True, all images in one row: (1, P, K, C)."""
        return Windows(
            tokens=self.tokens[keep][None],
            variance=None if self.variance is None else self.variance[keep][None],
            mask=None if self.mask is None else self.mask[keep][None],
        )

    def flatten(self) -> Windows:
        """Give all windows, all images in one row: (1, B*N, K, C)."""
        return Windows(
            tokens=self.tokens.flatten(0, 1)[None],
            variance=None if self.variance is None else self.variance.flatten(0, 1)[None],
            mask=None if self.mask is None else self.mask.flatten(0, 1)[None],
        )


def make_windows(grid: Tensor, side: int, image_sizes: Tensor | None) -> Windows:
    """Cut a grid (B, s, s, C) into side*side windows; see `Connector.forward` for `image_sizes`."""
    mask = None if image_sizes is None else window_mask(image_sizes, grid.shape[1], side)
    return windows_of(to_windows(grid, side), mask)


def windows_of(tokens: Tensor, mask: Tensor | None) -> Windows:
    """Wrap tokens (B, N, K, C) that are cut already."""
    if tokens.shape[2] == 1:
        # The softmax over a window's only key cannot leave it out unless other encoders' keys stay,
        # so the mask is kept; the variance serves the absorbed projections of larger windows only.
        return Windows(tokens=tokens, variance=None, mask=mask)
    wide = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
    return Windows(tokens=tokens, variance=wide.var(dim=-1, correction=0), mask=mask)
