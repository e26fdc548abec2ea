"""Sizes of the connectors: parameters, FLOPs and activations for one image.

They follow `cambrian.connectors` where that has the connector. Interpolation, norms and softmax are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

HEADS = 16
"""Attention heads of SVA, as released."""


@dataclass(frozen=True, kw_only=True)
class Concat:
    """The encoders' channels side by side through an MLP; with one encoder LLaVA-1.5's connector."""

    widths: tuple[int, ...]
    """Channels of each encoder."""
    llm_width: int
    tokens: int = 576
    layers: int = 2

    @cached_property
    def parameters(self) -> int:
        """Weights and biases."""
        return (sum(self.widths) + 1 + (self.layers - 1) * (self.llm_width + 1)) * self.llm_width

    @cached_property
    def flops(self) -> int:
        """FLOPs of one forward pass of one image."""
        matrix = sum(self.widths) * self.llm_width + (self.layers - 1) * self.llm_width**2
        return 2 * self.tokens * matrix

    @cached_property
    def saved_values(self) -> int:
        """Values per image kept for the backward pass."""
        return self.tokens * (sum(self.widths) + 2 * (self.layers - 1) * self.llm_width)


@dataclass(frozen=True, kw_only=True)
class Resampler:
    """Learned queries that attend to all features, layer by layer, as in Perceiver and Flamingo."""

    widths: tuple[int, ...]
    llm_width: int
    sources: int
    """Feature tokens that the queries see, of all encoders together."""
    tokens: int = 576
    width: int = 1024
    depth: int = 3

    @cached_property
    def parameters(self) -> int:
        """Input and output projections; per layer four of attention and an MLP of ratio 4; the queries."""
        ends = sum(self.widths) * self.width + self.width * self.llm_width
        return ends + self.depth * 12 * self.width**2 + self.tokens * self.width

    @cached_property
    def flops(self) -> int:
        """FLOPs of one forward pass of one image."""
        each = self.sources // len(self.widths)
        ends = each * sum(self.widths) * self.width + self.tokens * self.width * self.llm_width
        layer = (10 * self.tokens + 2 * self.sources) * self.width**2
        return 2 * (ends + self.depth * (layer + 2 * self.tokens * self.sources * self.width))

    @cached_property
    def saved_values(self) -> int:
        """Values per image kept for the backward pass."""
        layer = self.tokens * 16 * self.width + self.sources * 3 * self.width
        return self.sources // len(self.widths) * sum(self.widths) + self.depth * layer


@dataclass(frozen=True, kw_only=True)
class Sva:
    """The Spatial Vision Aggregator, with absorbed projections for windows of more than one token."""

    widths: tuple[int, ...]
    llm_width: int
    grids: tuple[int, ...]
    """Side of each encoder's grid as SVA sees it, a multiple of every query side."""
    side: int = 24
    groups: tuple[int, ...] = (24,)
    """Query side of each group, G groups."""
    depth: int = 3
    """Layers per group, D."""
    width: int = 1024
    aggregation: int = 0
    """Layers inside the LLM."""
    newline: bool = True

    @cached_property
    def tokens(self) -> int:
        """Visual tokens in the LLM, the ends of rows included."""
        return self.side * (self.side + self.newline)

    @cached_property
    def parameters(self) -> int:
        """Matrices, window positions and queries; norms and biases are left out."""
        own = sum(width * self.width + self.width**2 for width in self.widths)
        joined = len(self.groups) * self.width * self.llm_width + self.llm_width**2
        layers = sum(self.depth * self._layer_parameters(query, self.width) for query in self.groups)
        inner = self.aggregation * self._layer_parameters(self.side, self.llm_width)
        return own + joined + layers + inner + len(self.groups) * self.width

    @cached_property
    def flops(self) -> int:
        """FLOPs of one forward pass of one image, inside and before the LLM."""
        own = sum(
            grid**2 * (width + self.width) * self.width
            for grid, width in zip(self.grids, self.widths, strict=True)
        )
        joined = self.side**2 * (len(self.groups) * self.width + self.llm_width) * self.llm_width
        layers = sum(self.depth * self._layer_products(query, self.width) for query in self.groups)
        inner = self.aggregation * self._layer_products(self.side, self.llm_width)
        return 2 * (own + joined + layers + inner)

    @cached_property
    def saved_values(self) -> int:
        """Values per image kept for the backward pass: projected grids once, then each layer's own."""
        own = sum(
            grid**2 * (width + 3 * self.width) for grid, width in zip(self.grids, self.widths, strict=True)
        )
        layers = sum(self.depth * self._layer_values(query, self.width) for query in self.groups)
        return own + layers + self.aggregation * self._layer_values(self.side, self.llm_width)

    def _layer_parameters(self, query_side: int, query_width: int) -> int:
        """One layer: context, merge, query, output, hidden, out; keys, values, positions per encoder."""
        keys = sum(2 * self.width**2 + window * self.width for window in self._windows(query_side, least=2))
        keys += sum(2 * self.width**2 for grid in self.grids if grid == query_side)
        return keys + 5 * self.width**2 + 2 * query_width * self.width

    def _layer_products(self, query_side: int, query_width: int) -> int:
        """One layer's multiplications: the query's own, then keys and values of each encoder's windows."""
        per_query = (2 * query_width + 3 * self.width) * self.width
        for grid in self.grids:
            window = (grid // query_side) ** 2
            per_query += 2 * self.width**2
            if window > 1:
                per_query += 2 * HEADS * window * self.width + window**2 * self.width
        return query_side**2 * per_query

    def _layer_values(self, query_side: int, query_width: int) -> int:
        """One layer's saved values; an absorbed query and a mean of tokens are kept for each head."""
        absorbed = 2 * HEADS * self.width * len(self._windows(query_side, least=2))
        direct = 4 * self.width * sum(grid == query_side for grid in self.grids)
        return query_side**2 * (2 * query_width + 8 * self.width + absorbed + direct)

    def _windows(self, query_side: int, least: int) -> list[int]:
        """Tokens per window of each encoder whose windows have a side of at least `least`."""
        return [(grid // query_side) ** 2 for grid in self.grids if grid // query_side >= least]


Connector = Concat | Resampler | Sva
