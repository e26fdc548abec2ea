"""Check one sampler: queries, context and windows in, updated queries and gradients out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cambrian.connectors.sampler import Sampler
from cambrian.connectors.windows import windows_of
from cambrian.reference.names import gradients, load_reference, sampler_names
from cambrian.reference.vectors import Vectors

HEADS = 16
"""Of every attention in the release."""


def check_sampler(vectors: Vectors) -> None:
    """Compare outputs, every layer's output, and gradients."""
    _run(vectors, torch.float32)
    sampler, inputs, output = _run(vectors, torch.float64)
    if "in.grad_seed" not in vectors:
        return
    (output[0][:, None] * vectors["in.grad_seed"]).sum().backward()
    vectors.compare_gradients("grad.", {name: tensor.grad for name, tensor in inputs.items()}, 1e-8)
    vectors.compare_gradients("gradparam.", gradients(sampler, sampler_names(sampler)), 1e-8)


def _run(vectors: Vectors, dtype: torch.dtype) -> tuple[Sampler, dict[str, Tensor], Tensor]:
    sampler = _build(vectors).to(dtype)
    load_reference(sampler, sampler_names(sampler), vectors.below("param."))
    inputs = {"queries": vectors["in.queries"], "context": vectors["in.context"]}
    keys = vectors.sequence("in.kv.")
    inputs |= {f"kv.{k}": tokens for k, tokens in enumerate(keys)}
    inputs = {name: tensor.detach().clone().to(dtype).requires_grad_() for name, tensor in inputs.items()}
    windows = [windows_of(inputs[f"kv.{k}"][None], vectors[f"in.mask.{k}"][None]) for k in range(len(keys))]
    state = inputs["queries"][:, 0][None]  # (1, N, query_width)
    own = torch.arange(state.shape[1])  # every query brings a context of its own
    tolerance = 1e-9 if dtype == torch.float64 else 1e-5
    suffix = str(dtype).removeprefix("torch.")
    for number, layer in enumerate(sampler.layers):
        state = layer(state, inputs["context"][:, 0], windows, own)
        vectors.compare(f"out.layer.{number}.{suffix}", state[0][:, None], tolerance)
    vectors.compare(f"out.{suffix}", state[0][:, None], tolerance)
    return sampler, inputs, state


def _build(vectors: Vectors) -> Sampler:
    width, context_width = int(vectors.setting("C")), int(vectors.setting("ctx"))
    sampler = Sampler(
        query_width=int(vectors.setting("q")),
        width=width,
        heads=int(vectors.setting("num_heads")),
        windows=vectors.setting("m"),
        depth=int(vectors.setting("D")),
    )
    if context_width != width:  # allowed in the release's layer, never used by its models
        for layer in sampler.layers:
            layer.context = nn.Linear(context_width, width, bias=False)
    return sampler
