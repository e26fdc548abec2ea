"""The one place that decides which parts of a multimodal LLM train, and how fast each learns."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from typing import Literal

from torch import nn

from cambrian.connectors.sampler import Sampler
from cambrian.connectors.sva import SvaConnector
from cambrian.encoders.base import VisionEncoder
from cambrian.errors import UserError, unknown_name
from cambrian.model.mllm import MultimodalLLM
from cambrian.optimizer import ParameterGroup, split_decay

TrainingStage = Literal["align", "tune"]
Vision = Literal["frozen", "unfrozen"]

GROUPS = ("connector", "sva", "llm", "vision")
"""Parts with a learning rate of their own: `sva` are the queries and cross-attention layers of that
connector, in front of the LLM and inside it; `connector` is the rest of any connector."""

logger = logging.getLogger(__name__)


def freeze(model: MultimodalLLM, *, stage: TrainingStage, vision: Vision, blocks: int | None = None) -> None:
    """Let the connector train (align), or connector, LLM and, if unfrozen, the encoders (tune).

    With `blocks`, an unfrozen encoder trains so many of its last blocks and what follows them. What is before
    them costs no graph: nothing that it computes depends on anything that trains.

    What is frozen stays in evaluation mode. Logs module by module what trains.

    Raises:
        UserError: if an encoder without weights, or more blocks than an encoder has, are to be unfrozen.
    """
    unfrozen = stage == "tune" and vision == "unfrozen"
    if unfrozen:
        _require_weights(model)
    _set(model.connector, "connector", trained=True)
    _set(model.llm, "llm", trained=stage == "tune")
    if model.grid_positions is not None:
        _set(model.grid_positions, "grid positions", trained=stage == "tune")
    for index, encoder in enumerate(model.eyes):
        if unfrozen and blocks is not None:
            _set_last(encoder, f"encoder {index}", blocks)
        else:
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
    _log(module, name)


def _set_last(encoder: VisionEncoder, name: str, blocks: int) -> None:
    groups = encoder.block_groups()
    if not 1 <= blocks <= len(groups):
        raise UserError(
            f"vision.blocks={blocks}: {name} ('{encoder.architecture['kind']}') has {len(groups)} blocks; "
            "choose from 1 to that, or null for the whole encoder"
        )
    encoder.requires_grad_(False)
    for module in itertools.chain(*groups[-blocks:]):
        module.requires_grad_(True)
    encoder.train(True)
    _log(encoder, name)


def _log(module: nn.Module, name: str) -> None:
    parts = {"": list(module.parameters(recurse=False))}
    parts |= {f".{key}": list(child.parameters()) for key, child in module.named_children()}
    for key, parameters in parts.items():
        count = sum(parameter.numel() for parameter in parameters)
        trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
        word = "frozen" if not trained else "trained" if trained == count else "partly"
        of = "" if trained in (0, count) else f"{trained:,} of "
        if count:
            logger.info("%-7s %s%s: %s%s parameters", word, name, key, of, f"{count:,}")
