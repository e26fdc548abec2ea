"""How SVA's attention is shared out among the encoders, measured while a model looks at images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cambrian.connectors.sampler import SamplerLayer


class AttentionMeter:
    """Sums attention by encoder over images, layers, queries and heads, each of which has 1 to give."""

    def __init__(self) -> None:
        self._sums: list[Tensor] = []

    def __call__(self, shares: Sequence[Tensor]) -> None:
        """Add one layer's attention (B, N, h, K_k) to each encoder's keys."""
        given = torch.stack([share.double().sum() for share in shares]).cpu()  # (encoders,)
        self._sums.append(given)

    def shares(self) -> list[float]:
        """Share of each encoder, in the order of the connector's; they sum to 1.

        Raises:
            ValueError: if nothing was seen.
        """
        if not self._sums:
            raise ValueError("no attention was seen: the connector is no SVA, or no image was looked at")
        total = torch.stack(self._sums).sum(dim=0)
        return (total / total.sum()).tolist()


@contextmanager
def watch_attention(model: nn.Module) -> Iterator[AttentionMeter]:
    """Measure what all layers of SVA in `model` do inside the `with`, those inside the LLM included."""
    layers = [module for module in model.modules() if isinstance(module, SamplerLayer)]
    meter = AttentionMeter()
    for layer in layers:
        layer.observer = meter
    try:
        yield meter
    finally:
        for layer in layers:
            layer.observer = None
