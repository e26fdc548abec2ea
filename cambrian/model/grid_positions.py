"""The place of a visual token, told to a small LLM that has not learned it from the order of positions."""

from __future__ import annotations

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
        """Add row and column embeddings to `tokens` (B, L, L, H)."""
        return tokens + self.rows.weight[:, None] + self.columns.weight  # (L, 1, H) + (L, H)
