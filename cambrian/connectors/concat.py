"""Concatenate the encoders' channels and project them: LLaVA's MLP when there is one encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cambrian.connectors.base import Connector, VisualTokens
from cambrian.connectors.grids import join_channels, kept_cells


class ConcatConnector(Connector):
    """Resize every grid to side x side, concatenate the channels, apply `layers` linear layers with GELUs."""

    def __init__(
        self,
        *,
        widths: Sequence[int],
        grids: Sequence[int],
        llm_width: int,
        side: int,
        layers: int,
        newline: bool,
    ) -> None:
        super().__init__()
        self.grids = tuple(grids)
        self.side = side
        self.projector = projector(sum(widths), llm_width, layers)
        self.newline = new_newline(llm_width) if newline else None
        self.aggregation = None

    def forward(self, features: Sequence[Tensor], image_sizes: Tensor | None) -> VisualTokens:
        """See `Connector.forward`."""
        keep, keep_rows = (None, None) if image_sizes is None else kept_cells(image_sizes, self.side)
        tokens = self.projector(self.channels(features))
        return VisualTokens(tokens=tokens, keep=keep, keep_rows=keep_rows, aggregation=None)

    def channels(self, features: Sequence[Tensor]) -> Tensor:
        """Give the projector's input, (B, L, L, sum of C_k)."""
        return join_channels(features, self.side)


def projector(width: int, llm_width: int, layers: int) -> nn.Sequential:
    """Make Linear, then layers - 1 times GELU and Linear."""
    modules: list[nn.Module] = [nn.Linear(width, llm_width)]
    for _ in range(layers - 1):
        modules += [nn.GELU(), nn.Linear(llm_width, llm_width)]
    return nn.Sequential(*modules)


def new_newline(llm_width: int) -> nn.Parameter:
    """Make the embedding that ends a row of visual tokens."""
    return nn.Parameter(torch.randn(llm_width) / llm_width**0.5)
