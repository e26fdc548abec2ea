"""Resampler: learned queries attend to every token of every encoder, wherever it lies in the image.

The Perceiver resampler of Flamingo (arXiv 2204.14198, appendix A.1.1). With x the features, q the queries and
[;] joining along the token axis, `depth` times

    q = q + Attention(LN(q); keys and values from [LN(x); LN(q)])
    q = q + W_2 GELU(W_1 LN(q))     C -> 4C -> C,

then a LayerNorm. Attention has `heads` heads of C / heads; its projections and the W have no biases.

The Cambrian-1 paper compares a resampler with concat and SVA on four encoders; its release holds none. Here
features enter and tokens leave as in SVA, so that the two differ by the aggregation alone: each encoder's
tokens go through SVA's MLP with LayerNorm to width C; all encoders' tokens are joined along the token axis
under one softmax, as Flamingo joins its frames; and a two-layer MLP leads to the LLM. Nothing ties a query to
a place. All that is known of places is a learned embedding of each cell of each encoder's grid,
(s_k * s_k, C), added to the features once and so part of keys and values, as Flamingo adds its embeddings of
time.

Shapes: K tokens of all encoders together, N = L * L queries, h heads; the rest as in `base`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.connectors.base import Connector, VisualTokens
from cambrian.connectors.concat import new_newline, projector
from cambrian.connectors.grids import window_mask
from cambrian.connectors.sva import auxiliary

EXPANSION = 4
"""Hidden width of the feed-forward part, in widths."""


class ResamplerConnector(Connector):
    """`side` * `side` queries and `depth` layers; the queries' results fill the grid row by row.

    Any query may look anywhere, so there is no place to cut off: images that were padded square give as many
    tokens as others, and their borders are hidden from the queries instead.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        grids: Sequence[int],
        llm_width: int,
        side: int,
        width: int,
        heads: int,
        depth: int,
        newline: bool,
    ) -> None:
        super().__init__()
        self.side = side
        self.auxiliary = nn.ModuleList(auxiliary(encoder, width) for encoder in widths)
        # As loud as the features, which a LayerNorm has just left: the only trace of places there is.
        self.positions = nn.ParameterList(torch.randn(grid * grid, width) for grid in grids)
        self.query = nn.Parameter(torch.randn(side * side, width) / width**0.5)
        self.layers = nn.ModuleList(ResamplerLayer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.projector = projector(width, llm_width, 2)
        self.newline = new_newline(llm_width) if newline else None
        self.aggregation = None

    def forward(self, features: Sequence[Tensor], image_sizes: Tensor | None) -> VisualTokens:
        """See `Connector.forward`."""
        tokens = self.join(features)
        seen = None if image_sizes is None else self.mask(features, image_sizes)
        queries = self.query.expand(len(tokens), -1, -1)  # (B, N, C)
        for layer in self.layers:
            queries = layer(queries, tokens, seen)
        grid = self.norm(queries).unflatten(1, (self.side, self.side))  # (B, L, L, C)
        return VisualTokens(tokens=self.projector(grid), keep=None, keep_rows=None, aggregation=None)

    def join(self, features: Sequence[Tensor]) -> Tensor:
        """Give all encoders' tokens at one width, places added: (B, K, C)."""
        parts = zip(self.auxiliary, features, self.positions, strict=True)
        return torch.cat([module(grid.flatten(1, 2)) + place for module, grid, place in parts], dim=1)

    def mask(self, features: Sequence[Tensor], image_sizes: Tensor) -> Tensor:
        """Say what each image's queries may attend to, the queries themselves included: (B, 1, 1, K + N)."""
        # An encoder's grid is one window for all queries; if it is border altogether, it is seen as a whole.
        cells = [window_mask(image_sizes, grid.shape[1], 1)[:, 0] for grid in features]  # (B, s_k*s_k)
        queries = cells[0].new_ones(len(image_sizes), len(self.query))
        return torch.cat([*cells, queries], dim=1)[:, None, None]


class ResamplerLayer(nn.Module):
    """Cross-attention to features and queries, then a feed-forward part; both residual, norms first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.token_norm = nn.LayerNorm(width)
        self.query_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.hidden_norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, EXPANSION * width, bias=False)
        self.out = nn.Linear(EXPANSION * width, width, bias=False)

    def forward(self, queries: Tensor, tokens: Tensor, seen: Tensor | None) -> Tensor:
        """Update queries (B, N, C) by tokens (B, K, C); `seen` (B, 1, 1, K + N) is False for hidden keys."""
        normed = self.query_norm(queries)
        memory = torch.cat([self.token_norm(tokens), normed], dim=1)  # (B, K + N, C)
        split = [
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, h, N or K + N, C / h)
            for part in (self.query(normed), self.key(memory), self.value(memory))
        ]
        attended = F.scaled_dot_product_attention(*split, attn_mask=seen)  # (B, h, N, C / h)
        queries = queries + self.output(attended.transpose(1, 2).flatten(2))
        return queries + self.out(F.gelu(self.hidden(self.hidden_norm(queries))))
