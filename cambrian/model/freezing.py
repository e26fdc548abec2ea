"""The one place that decides which parts of a multimodal LLM train, and how fast each learns."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

from torch import nn

from cambrian.connectors.sampler import Sampler
from cambrian.connectors.sva import SvaConnector
from cambrian.errors import UserError, unknown_name
from cambrian.model.mllm import MultimodalLLM
from cambrian.optimizer import ParameterGroup, split_decay

TrainingStage = Literal["align", "tune"]
Vision = Literal["frozen", "unfrozen"]

GROUPS = ("connector", "sva", "llm", "vision")
"""Parts with a learning rate of their own: `sva` are the queries and cross-attention layers of that
connector, in front of the LLM and inside it; `connector` is the rest of any connector."""

logger = logging.getLogger(__name__)


def freeze(model: MultimodalLLM, *, stage: TrainingStage, vision: Vision) -> None:
    """Let the connector train (align), or connector, LLM and, if unfrozen, the encoders (tune).

    What is frozen stays in evaluation mode. Logs module by module what trains.

    Raises:
        UserError: if an encoder without weights is to be unfrozen.
    """
    unfrozen = stage == "tune" and vision == "unfrozen"
    if unfrozen:
        _require_weights(model)
    _set(model.connector, "connector", trained=True)
    _set(model.llm, "llm", trained=stage == "tune")
    if model.grid_positions is not None:
        _set(model.grid_positions, "grid positions", trained=stage == "tune")
    for index, encoder in enumerate(model.eyes):
        _set(encoder, f"encoder {index}", trained=unfrozen)


def is_trained(module: nn.Module) -> bool:
    """Whether `freeze` let the module train."""
    return any(parameter.requires_grad for parameter in module.parameters())


def parameter_groups(
    model: MultimodalLLM, rates: Mapping[str, float], weight_decay: float
) -> list[ParameterGroup]:
    """Group what trains by learning rate; vectors are not decayed.

    `rates` maps names of `GROUPS` to peak learning rates.

    Raises:
        UserError: for a rate of no known group, and for a group that trains without a rate.
    """
    for name in rates:
        if name not in GROUPS:
            raise UserError(unknown_name("learning rate", name, GROUPS))
    sampler = _sampler_parameters(model)
    members: dict[str, list[nn.Parameter]] = {
        "connector": [p for p in model.connector.parameters() if id(p) not in sampler],
        "sva": [p for p in model.connector.parameters() if id(p) in sampler],
        "llm": [*model.llm.parameters()],
        "vision": [*model.encoders.parameters()],
    }
    if model.grid_positions is not None:
        members["llm"] += model.grid_positions.parameters()
    groups: list[ParameterGroup] = []
    for name in GROUPS:
        if not any(parameter.requires_grad for parameter in members[name]):
            continue
        if name not in rates:
            raise UserError(f"'{name}' is to be trained but has no learning rate; set lr.{name}")
        groups += split_decay(name, members[name], lr=rates[name], weight_decay=weight_decay)
    return groups


def _sampler_parameters(model: MultimodalLLM) -> set[int]:
    samplers = [module for module in model.connector.modules() if isinstance(module, Sampler)]
    found = {id(parameter) for sampler in samplers for parameter in sampler.parameters()}
    if isinstance(model.connector, SvaConnector):
        found.add(id(model.connector.query))
    return found


def _require_weights(model: MultimodalLLM) -> None:
    for index, encoder in enumerate(model.eyes):
        if not list(encoder.parameters()):
            raise UserError(
                f"encoder {index} ('{encoder.architecture['kind']}') has no weights that could be unfrozen; "
                "set vision=frozen or choose another encoder"
            )


def _set(module: nn.Module, name: str, *, trained: bool) -> None:
    module.requires_grad_(trained).train(trained)
    word = "trained" if trained else "frozen"
    own = {"": sum(parameter.numel() for parameter in module.parameters(recurse=False))}
    parts = own | {
        f".{key}": sum(parameter.numel() for parameter in child.parameters())
        for key, child in module.named_children()
    }
    for key, count in parts.items():
        if count:
            logger.info("%-7s %s%s: %s parameters", word, name, key, f"{count:,}")
