"""C-Abstractor: convolutions around an average pooling, so that fewer tokens keep their neighbourhood.

After Honeybee (arXiv 2312.06742) and its published code. With x the features on the encoder's grid,

    x = x + p                       a learned embedding of each cell
    x = `depth` blocks, C_k -> C    on the grid of side s
    x = average pooling, s -> L
    x = `depth` blocks, C -> C      on the grid of side L
    tokens = W_2 SiLU(W_1 x)        C -> H -> H, with biases.

A block is RegNet's without a bottleneck, timm's as in that code: 1x1 convolution, depth-wise 3x3
convolution, squeeze-excitation, 1x1 convolution and a skip, with LayerNorms over channels and SiLUs.

Under this name the Cambrian-1 release runs a 3x3 convolution of stride 2 and an MLP, which makes 144 tokens
of 576 and never 36; beside it, in a comment, stands the connector as above with C = 1024 and depth 3.

The original has one encoder. Of several, all grids are resized to the finest and their channels concatenated,
so that nothing is lost before the first block.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.layers.norm import LayerNorm2d
from timm.models.regnet import RegStage
from torch import Tensor, nn

from cambrian.connectors.base import Connector, VisualTokens
from cambrian.connectors.concat import new_newline
from cambrian.connectors.grids import join_channels, kept_cells, pool

DEVIATION = 0.02
"""Of the embeddings of cells at the start, as in the published code."""


class CAbstractorConnector(Connector):
    """`depth` blocks of `width` channels on the encoders' grid, and again on the grid of visual tokens."""

    def __init__(
        self,
        *,
        widths: Sequence[int],
        grids: Sequence[int],
        llm_width: int,
        side: int,
        width: int,
        depth: int,
        newline: bool,
    ) -> None:
        super().__init__()
        self.side = side
        self.grid = max(grids)
        self.positions = nn.Parameter(torch.empty(self.grid, self.grid, sum(widths)))
        nn.init.trunc_normal_(self.positions, std=DEVIATION)
        self.before = _blocks(depth, sum(widths), width)
        self.after = _blocks(depth, width, width)
        self.projector = nn.Sequential(
            nn.Linear(width, llm_width), nn.SiLU(), nn.Linear(llm_width, llm_width)
        )
        self.newline = new_newline(llm_width) if newline else None
        self.aggregation = None

    def forward(self, features: Sequence[Tensor], image_sizes: Tensor | None) -> VisualTokens:
        """See `Connector.forward`."""
        fine = _convolve(self.before, join_channels(features, self.grid) + self.positions)  # (B, s, s, C)
        coarse = _convolve(self.after, pool(fine, self.side))  # (B, L, L, C)
        keep, keep_rows = (None, None) if image_sizes is None else kept_cells(image_sizes, self.side)
        return VisualTokens(tokens=self.projector(coarse), keep=keep, keep_rows=keep_rows, aggregation=None)


def _blocks(depth: int, width_in: int, width: int) -> RegStage:
    return RegStage(depth, width_in, width, stride=1, dilation=1, act_layer=nn.SiLU, norm_layer=LayerNorm2d)


def _convolve(blocks: RegStage, grid: Tensor) -> Tensor:
    """Run blocks over a grid (B, s, s, C)."""
    return blocks(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
