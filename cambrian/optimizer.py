"""The course of a training run, and AdamW without the wait: that of torch imports the compiler (seconds)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cambrian.shards import local


@dataclass(frozen=True, kw_only=True)
class ParameterGroup:
    """Parameters that share a learning rate and a weight decay."""

    name: str
    """Such as `connector` or `llm`; names may repeat (with and without decay)."""
    parameters: list[nn.Parameter]
    lr: float
    """Peak of the schedule."""
    weight_decay: float
    """Decoupled: each update also shrinks the weights by `lr * weight_decay`."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Course of a training run. Changing any field changes the result."""

    steps: int
    batch_size: int
    """Examples of one optimizer step, however they are split."""
    warmup_fraction: float
    clip: float
    """Largest norm of the gradient of all parameters together."""
    betas: tuple[float, float]
    seed: int
    """Seeds what is drawn inside the model, such as dropout; order of the data is the task's."""


def read_schedule(optimization: Mapping[str, Any], *, steps: int, seed: int) -> Schedule:
    """Take the course of a training run from the `optimization` part of a stage's recipe."""
    first, second = optimization["betas"]
    return Schedule(
        steps=steps,
        batch_size=optimization["batch_size"],
        warmup_fraction=optimization["warmup_fraction"],
        clip=optimization["clip"],
        betas=(first, second),
        seed=seed,
    )


def split_decay(
    name: str, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float
) -> list[ParameterGroup]:
    """Group what trains, so that vectors (biases, norms, single tokens) are not decayed; matrices are."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    vectors = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = ((matrices, weight_decay), (vectors, 0.0))
    return [
        ParameterGroup(name=name, parameters=members, lr=lr, weight_decay=decay)
        for members, decay in groups
        if members
    ]


def make_optimizer(groups: Sequence[ParameterGroup], betas: tuple[float, float]) -> torch.optim.AdamW:
    """Make AdamW (Loshchilov & Hutter, arXiv:1711.05101), fused per group; each step sets its rates.

    Of a parameter that is divided over workers it is given the rows that are here.
    """
    members = [
        {"params": [local(parameter) for parameter in group.parameters], "weight_decay": group.weight_decay}
        for group in groups
    ]
    return torch.optim.AdamW(members, betas=betas, fused=True)


def prepare_step(optimizer: torch.optim.Optimizer, groups: Sequence[ParameterGroup], factor: float) -> None:
    """Set the rates of the coming step, `factor` times their peaks, and hand on gradients where need be."""
    for group, settings in zip(groups, optimizer.param_groups, strict=True):
        settings["lr"] = group.lr * factor
        for parameter, held in zip(group.parameters, settings["params"], strict=True):
            if held is not parameter:  # it is divided, and the optimizer works on the rows that are here
                held.grad = None if parameter.grad is None else local(parameter.grad)


def cosine_factor(step: int, *, steps: int, warmup_fraction: float) -> float:
    """Factor on the learning rates at 0-based `step`: a linear warm-up to 1, then half a cosine towards 0.

    Warm-up takes `ceil(warmup_fraction * steps)` steps. No step is wasted on a rate of zero: the first is
    `1 / (warm-up + 1)`, and zero itself would come after the last.
    """
    warmup = math.ceil(warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
