"""The Spatial Vision Aggregator: learned queries attend to the same place in every encoder's grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cambrian.connectors.base import AggregationInputs, Connector, VisualTokens
from cambrian.connectors.concat import new_newline, projector
from cambrian.connectors.grids import kept_cells, resize
from cambrian.connectors.sampler import EPSILON, Sampler
from cambrian.connectors.windows import Windows, make_windows
from cambrian.model.aggregation import InnerAggregation


class SvaConnector(Connector):
    """Groups of queries, each with its own grid and layers, concatenated and projected to the LLM's width.

    `side` is the side L of the visual tokens, `groups` the side of each group's query grid. `aggregation`
    holds start, stride and layers of the aggregation inside the LLM, or is None.
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
        groups: Sequence[int],
        newline: bool,
        aggregation: Mapping[str, int] | None,
    ) -> None:
        super().__init__()
        self.side = side
        self.groups = tuple(groups)
        self.auxiliary = nn.ModuleList(auxiliary(encoder, width) for encoder in widths)
        self.query = nn.Parameter(torch.randn(len(groups), width) / width**0.5)
        self.samplers = nn.ModuleList(
            Sampler(
                query_width=width,
                width=width,
                heads=heads,
                windows=[grid // group for grid in grids],
                depth=depth,
            )
            for group in groups
        )
        self.projector = projector(len(groups) * width, llm_width, 2)
        self.newline = new_newline(llm_width) if newline else None
        self.aggregation = None
        if aggregation is not None:
            self.aggregation = InnerAggregation(
                llm_width=llm_width,
                width=width,
                heads=heads,
                windows=[grid // side for grid in grids],
                **aggregation,
            )

    def forward(self, features: Sequence[Tensor], image_sizes: Tensor | None) -> VisualTokens:
        """See `Connector.forward`."""
        tokens = self.project(features)
        context = global_context(tokens)
        windows = self.cut(tokens, image_sizes)
        outputs = [self.sample(group, context, windows) for group in range(len(self.groups))]
        keep, keep_rows = (None, None) if image_sizes is None else kept_cells(image_sizes, self.side)
        inner = None
        if self.aggregation is not None:
            inner = aggregation_inputs(context, windows[self.side], keep)
        return VisualTokens(
            tokens=self.projector(self.join(outputs)), keep=keep, keep_rows=keep_rows, aggregation=inner
        )

    def project(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Bring every encoder's grid to the connector's width, (B, s_k, s_k, C)."""
        return [module(grid) for module, grid in zip(self.auxiliary, features, strict=True)]

    def cut(self, tokens: Sequence[Tensor], image_sizes: Tensor | None) -> dict[int, tuple[Windows, ...]]:
        """Cut the grids into windows, once for each query side in use."""
        sides = {*self.groups} if self.aggregation is None else {*self.groups, self.side}
        return {
            side: tuple(make_windows(grid, side, image_sizes) for grid in tokens) for side in sorted(sides)
        }

    def sample(self, group: int, context: Tensor, windows: Mapping[int, Sequence[Windows]]) -> Tensor:
        """Run one group's layers: (B, side*side, C)."""
        # All windows of an image start from the same query, which the first layer makes use of.
        queries = self.query[group].expand(len(context), 1, -1)  # (B, 1, C)
        return self.samplers[group](queries, context, windows[self.groups[group]])

    def join(self, outputs: Sequence[Tensor]) -> Tensor:
        """Put the groups side by side on the grid of visual tokens, (B, L, L, G * C)."""
        grids = [
            resize(output.unflatten(1, (side, side)), self.side)
            for output, side in zip(outputs, self.groups, strict=True)
        ]
        return torch.cat(grids, dim=-1)


def global_context(tokens: Sequence[Tensor]) -> Tensor:
    """Average the first encoder's grid, border included, as the release does: (B, C)."""
    return tokens[0].mean(dim=(1, 2))


def aggregation_inputs(context: Tensor, windows: Sequence[Windows], keep: Tensor | None) -> AggregationInputs:
    """Line up the windows of kept visual tokens, all images one after the other."""
    batch, count = windows[0].tokens.shape[:2]
    image = torch.arange(batch, device=context.device).repeat_interleave(count)
    if keep is None:
        flat = tuple(seen.flatten() for seen in windows)
        return AggregationInputs(context=context, image=image, windows=flat)
    kept = keep.flatten(1)  # (B, N)
    return AggregationInputs(
        context=context, image=image[kept.flatten()], windows=tuple(seen.select(kept) for seen in windows)
    )


def auxiliary(encoder_width: int, width: int) -> nn.Sequential:
    """Make the MLP that brings one encoder's tokens to the connector's width."""
    return nn.Sequential(
        nn.Linear(encoder_width, width),
        nn.GELU(),
        nn.Linear(width, width),
        nn.LayerNorm(width, eps=EPSILON),
    )
