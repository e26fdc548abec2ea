"""Aggregation inside the LLM: after some decoder layers, visual tokens look at the encoders' grids again.

Section 3 of the Cambrian-1 paper; what is read and overwritten follows its release
(`cambrian_llama.py:168-253`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from cambrian.connectors.base import AggregationInputs
from cambrian.connectors.sampler import Sampler


class InnerAggregation(nn.Module):
    """One sampler of depth 1 for each of the decoder layers start, start + stride, ..."""

    def __init__(
        self,
        *,
        llm_width: int,
        width: int,
        heads: int,
        windows: Sequence[int],
        start: int,
        stride: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.positions = tuple(range(start, start + layers * stride, stride))
        self.samplers = nn.ModuleList(
            Sampler(query_width=llm_width, width=width, heads=heads, windows=windows, depth=1)
            for _ in range(layers)
        )


@contextmanager
def aggregate_inside(
    aggregation: InnerAggregation | None,
    decoder_layers: nn.ModuleList,
    inputs: AggregationInputs | None,
    visual: Tensor,
) -> Iterator[None]:
    """Let the LLM's forward passes inside the `with` aggregate; nothing of it is left behind afterwards.

    `visual` (S, T) marks the visual tokens of each sample, newlines excluded. Samples without any are
    untouched, and without aggregation layers nothing happens. Wrap prefill only, and backward too if decoder
    layers are checkpointed.

    Raises:
        ValueError: if the marked positions are not those of `inputs`, or a decoder layer doesn't exist.
    """
    if aggregation is None or not visual.any():
        yield
        return
    if inputs is None or len(inputs.image) != int(visual.sum()):
        given = 0 if inputs is None else len(inputs.image)
        raise ValueError(f"{int(visual.sum())} visual positions are marked, but there is input for {given}")
    if aggregation.positions[-1] >= len(decoder_layers):
        raise ValueError(
            f"aggregation acts after decoder layers {list(aggregation.positions)}, but the LLM has only "
            f"{len(decoder_layers)}; use fewer aggregation layers or a smaller stride"
        )
    handles = [
        decoder_layers[position].register_forward_hook(_hook(sampler, inputs, visual))
        for position, sampler in zip(aggregation.positions, aggregation.samplers, strict=True)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(
    sampler: nn.Module, inputs: AggregationInputs, visual: Tensor
) -> Callable[[nn.Module, tuple[object, ...], object], object]:
    """Make the hook that replaces a decoder layer's output at visual positions.

    Some families' layers give their hidden states alone, others put them first in a tuple.
    """

    def update(_layer: nn.Module, _arguments: tuple[object, ...], output: object) -> object:
        if isinstance(output, tuple):
            return (replaced(output[0]), *output[1:])
        return replaced(output)

    def replaced(states: object) -> Tensor:
        if not isinstance(states, Tensor):
            raise TypeError(f"expected hidden states from a decoder layer, got {type(states).__name__}")
        if states.shape[:2] != visual.shape:
            raise ValueError(
                f"positions are marked for {tuple(visual.shape)} states, but the LLM has "
                f"{tuple(states.shape[:2])}; aggregate during prefill only"
            )
        own = states[visual][None].to(inputs.context.dtype)  # (1, P, H)
        updated = sampler(own, inputs.context, inputs.windows, inputs.image)
        return states.masked_scatter(visual[..., None], updated.to(states.dtype))

    return update
