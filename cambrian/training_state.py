"""State of modules and optimizer for a checkpoint, and back, whoever holds which rows of a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.checkpoints import Piece, Pieces, read_rows
from cambrian.optimizer import ParameterGroup
from cambrian.shards import local, rows

Modules = Mapping[str, nn.Module]


def state_of(
    modules: Modules, groups: Sequence[ParameterGroup], optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Give what a checkpoint holds of them: tensors, and pieces of those that are divided over workers."""
    own = optimizer.state_dict()
    own["state"] = {
        index: {name: _piece(value, parameter) for name, value in moments.items()}
        for index, moments, parameter in _moments(own["state"], groups)
    }
    weights = {
        name: {key: _piece(local(value), value) for key, value in module.state_dict().items()}
        for name, module in modules.items()
    }
    return {"modules": weights, "optimizer": own}


@torch.no_grad()
def restore(
    state: Mapping[str, Any],
    modules: Modules,
    groups: Sequence[ParameterGroup],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Give them the state of a checkpoint, whatever number of workers has written it."""
    for name, module in modules.items():
        saved, own = state["modules"][name], module.state_dict()
        assert saved.keys() == own.keys(), (name, saved.keys() ^ own.keys())
        for key, value in own.items():
            local(value).copy_(read_rows(saved[key], rows(value)))
    moments = {
        index: {name: _read(value, parameter) for name, value in moments.items()}
        for index, moments, parameter in _moments(state["optimizer"]["state"], groups)
    }
    optimizer.load_state_dict({**state["optimizer"], "state": moments})


def not_finite(modules: Modules) -> str | None:
    """Name a weight that is not a finite number, among those that are here."""
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            if not torch.isfinite(local(value)).all():
                return f"{name}.{key}"
    return None


def _moments(
    state: Mapping[int, Mapping[str, Any]], groups: Sequence[ParameterGroup]
) -> Iterator[tuple[int, Mapping[str, Any], nn.Parameter]]:
    """What the optimizer keeps of each parameter; it counts them group by group."""
    parameters = [parameter for group in groups for parameter in group.parameters]
    for index, moments in state.items():
        yield index, moments, parameters[index]


def _piece(value: Tensor, of: Tensor) -> Tensor | Piece:
    """Say which rows `value` has if `of` is divided; what has no rows, such as a count of steps, is whole."""
    here = rows(of)
    return value if here is None or value.ndim == 0 else Piece(rows=here, value=value)


def _read(saved: Tensor | Pieces, of: Tensor) -> Tensor:
    return saved.clone() if isinstance(saved, Tensor) and saved.ndim == 0 else read_rows(saved, rows(of))
