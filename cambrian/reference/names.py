"""Our weights by the names that the Cambrian-1 release gives them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cambrian.connectors.base import Connector
from cambrian.connectors.concat import ConcatConnector
from cambrian.connectors.sampler import Sampler
from cambrian.connectors.sva import SvaConnector
from cambrian.reference.vectors import VectorsError

LAYER = {
    "context.weight": "proj_context.weight",
    "merge.weight": "proj_in.weight",
    "query_norm.weight": "cross_attn.q_proj.0.weight",
    "query_norm.bias": "cross_attn.q_proj.0.bias",
    "query.weight": "cross_attn.q_proj.1.weight",
    "output.weight": "cross_attn.o_proj.weight",
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
    "hidden.weight": "proj_out.linear_1.weight",
    "out.weight": "proj_out.linear_2.weight",
}
"""Of one layer: ours -> theirs."""

ENCODER = {
    "key_norm.weight": "cross_attn.k_proj_{}.0.weight",
    "key_norm.bias": "cross_attn.k_proj_{}.0.bias",
    "key.weight": "cross_attn.k_proj_{}.1.weight",
    "value_norm.weight": "cross_attn.v_proj_{}.0.weight",
    "value_norm.bias": "cross_attn.v_proj_{}.0.bias",
    "value.weight": "cross_attn.v_proj_{}.1.weight",
    "position": "pos_embed_{}",
}
"""Of one layer's keys and values of the encoder whose number goes into the braces."""

AUXILIARY = {
    "0.weight": "0.weight",
    "0.bias": "0.bias",
    "2.weight": "2.weight",
    "2.bias": "2.bias",
    "3.weight": "3.weight",
    "3.bias": "3.bias",
}
"""Of the MLP and LayerNorm before the sampler; the same in both."""


def sampler_names(sampler: Sampler) -> dict[str, str]:
    """Map the names of a sampler's parameters, ours -> theirs."""
    names = {}
    for name, _ in sampler.named_parameters():
        _, number, inside = name.split(".", 2)
        if inside in LAYER:
            theirs = LAYER[inside]
        else:
            _, encoder, part = inside.split(".", 2)
            theirs = ENCODER[part].format(encoder)
        names[name] = f"layers.{number}.{theirs}"
    return names


def connector_names(connector: Connector) -> dict[str, str]:
    """Map the names of a connector's parameters, ours -> theirs, in-LLM layers included."""
    names = {} if connector.newline is None else {"newline": "image_newline"}
    if isinstance(connector, SvaConnector):
        names["query"] = "vision_query"
        for k in range(len(connector.auxiliary)):
            names |= {f"auxiliary.{k}.{a}": f"mm_projector_aux_{k}.{b}" for a, b in AUXILIARY.items()}
        names |= _samplers("samplers", connector.samplers, "vision_sampler_{}")
        if connector.aggregation is not None:
            names |= _samplers(
                "aggregation.samplers", connector.aggregation.samplers, "vision_sampler_layers.{}"
            )
    assert isinstance(connector, SvaConnector | ConcatConnector)
    linear = len(connector.projector) == 1  # the release has no Sequential around a single layer
    for name, _ in connector.projector.named_parameters():
        theirs = name.removeprefix("0.") if linear else name
        names[f"projector.{name}"] = f"mm_projector.{theirs}"
    return names


def load_reference(module: nn.Module, names: Mapping[str, str], weights: Mapping[str, Tensor]) -> None:
    """Fill a module's parameters; `names` maps all of them to names in `weights`.

    Raises:
        VectorsError: if a weight is missing, has another shape, or is left over.
    """
    parameters = dict(module.named_parameters())
    assert parameters.keys() == names.keys(), sorted(parameters.keys() ^ names.keys())
    missing = sorted(set(names.values()) - weights.keys())
    extra = sorted(weights.keys() - set(names.values()))
    if missing or extra:
        raise VectorsError(f"weights don't fit: missing {missing}, without a place {extra}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            weight = weights[names[name]]
            if weight.shape != parameter.shape:
                shapes = f"{tuple(weight.shape)}, expected {tuple(parameter.shape)}"
                raise VectorsError(f"weight '{names[name]}' has shape {shapes}")
            parameter.copy_(weight)


def gradients(module: nn.Module, names: Mapping[str, str]) -> dict[str, Tensor | None]:
    """Give the gradients of a module's parameters by their reference names."""
    return {names[name]: parameter.grad for name, parameter in module.named_parameters()}


def _samplers(ours: str, samplers: nn.ModuleList, theirs: str) -> dict[str, str]:
    names = {}
    for number, sampler in enumerate(samplers):
        assert isinstance(sampler, Sampler)
        for name, reference in sampler_names(sampler).items():
            names[f"{ours}.{number}.{name}"] = f"{theirs.format(number)}.{reference}"
    return names
