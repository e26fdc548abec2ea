"""What a connector gives the LLM, and how one is built from a recipe.

Shapes: B images, L side of the grid of visual tokens, H width of the LLM, C width inside the connector,
C_k width and s_k grid side of encoder k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from cambrian.connectors.table import require_connector

if TYPE_CHECKING:
    from cambrian.connectors.windows import Windows
    from cambrian.model.aggregation import InnerAggregation


@dataclass(frozen=True, kw_only=True)
class AggregationInputs:
    """What the aggregation layers inside the LLM look at, one row for each kept visual token."""

    context: Tensor
    """(B, C) global context of each image."""
    image: Tensor
    """(P,) the image that each of the P kept visual tokens belongs to."""
    windows: tuple[Windows, ...]
    """One per encoder, windows (1, P, m*m, C)."""


@dataclass(frozen=True, kw_only=True)
class VisualTokens:
    """The visual tokens of B images."""

    tokens: Tensor
    """(B, L, L, H), before the border is cut off and newlines are added."""
    keep: Tensor | None
    """(B, L, L) bool, False in the border that made the image square; None keeps all."""
    keep_rows: Tensor | None
    """(B, L) bool, the rows that end in a newline; None keeps all."""
    aggregation: AggregationInputs | None
    """None for connectors without layers inside the LLM."""


class Connector(nn.Module):
    """Encoder grids to visual tokens. Subclasses implement `forward`."""

    newline: nn.Parameter | None
    """(H,) embedding appended to each row of visual tokens."""
    aggregation: InnerAggregation | None
    """Layers that act inside the LLM; they train with the connector."""

    def forward(self, features: Sequence[Tensor], image_sizes: Tensor | None) -> VisualTokens:
        """Connect.

        `features` holds one grid (B, s_k, s_k, C_k) per encoder, `image_sizes` (B, 2) the images' original
        (width, height) in pixels, or None when all are square.
        """
        raise NotImplementedError


def build_connector(
    recipe: Mapping[str, Any], widths: Sequence[int], grids: Sequence[int], llm_width: int, llm_layers: int
) -> Connector:
    """Make a connector with fresh weights for encoders of these widths and grid sides.

    Raises:
        ConfigError: listing all that is wrong with the recipe.
    """
    names = {f"encoder {index + 1}": grid for index, grid in enumerate(grids)}
    row = require_connector(recipe, names, llm_layers)
    settings = {key: recipe[key] for key in row.fields}
    return row.load()(widths=tuple(widths), grids=tuple(grids), llm_width=llm_width, **settings)
