"""LDPv2, the lightweight downsample projector: an MLP, average pooling, one light convolution.

After MobileVLM V2 (arXiv 2402.03766) and its published code. With x the features on the encoder's grid,

    x = W_2 GELU(W_1 x)             C_k -> H -> H, with biases
    x = average pooling, s -> L
    tokens = x + PEG(x)             PEG: depth-wise 3x3 convolution with bias, zeros around the grid.

PEG, the positional encoding generator, is the only part that looks beyond a token's own cell.

The original has one encoder. Of several, all grids are resized to the finest and their channels concatenated,
so that nothing is lost before the MLP.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from cambrian.connectors.base import Connector, VisualTokens
from cambrian.connectors.concat import new_newline, projector
from cambrian.connectors.grids import join_channels, kept_cells, pool


class Ldpv2Connector(Connector):
    """Everything follows from `side`, the side of the grid of visual tokens, and the LLM's width."""

    def __init__(
        self,
        *,
        widths: Sequence[int],
        grids: Sequence[int],
        llm_width: int,
        side: int,
        newline: bool,
    ) -> None:
        super().__init__()
        self.side = side
        self.grid = max(grids)
        self.projector = projector(sum(widths), llm_width, 2)
        self.neighbours = nn.Conv2d(llm_width, llm_width, kernel_size=3, padding=1, groups=llm_width)
        self.newline = new_newline(llm_width) if newline else None
        self.aggregation = None

    def forward(self, features: Sequence[Tensor], image_sizes: Tensor | None) -> VisualTokens:
        """See `Connector.forward`."""
        tokens = pool(self.projector(join_channels(features, self.grid)), self.side)  # (B, L, L, H)
        tokens = tokens + self.neighbours(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        keep, keep_rows = (None, None) if image_sizes is None else kept_cells(image_sizes, self.side)
        return VisualTokens(tokens=tokens, keep=keep, keep_rows=keep_rows, aggregation=None)
