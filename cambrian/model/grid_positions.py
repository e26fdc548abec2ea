"""The place of a visual token, told to a small LLM that has not learned it from the order of positions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class GridPositions(nn.Module):
    """One learned embedding per row and one per column, added to the visual tokens of every connector."""

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Embedding(side, width)
        self.columns = nn.Embedding(side, width)
        for table in (self.rows, self.columns):
            nn.init.normal_(table.weight, std=width**-0.5)

    @property
    def side(self) -> int:
        """Rows and columns of the grid."""
        return self.rows.num_embeddings

    def forward(self, tokens: Tensor) -> Tensor:
        """Add row and column embeddings to `tokens` (B, L, L, H); a coarser grid takes means of them."""
        side = tokens.shape[1]
        rows, columns = (_means(table.weight, side) for table in (self.rows, self.columns))
        return tokens + rows[:, None] + columns  # (L, 1, H) + (L, H)


def _means(embeddings: Tensor, side: int) -> Tensor:
    """Average embeddings (S, H) over `side` equal stretches: (side, H)."""
    if len(embeddings) == side:
        return embeddings
    return F.adaptive_avg_pool1d(embeddings.T, side).T
