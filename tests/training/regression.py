"""A training task of no importance, and a stage that trains it, for this process and for several."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from cambrian.stages.base import Artifact, StageContext, StageKind
from cambrian.stages.device import training_conditions
from cambrian.task import Amount, Prepared
from cambrian.training import ParameterGroup, Schedule, fit, split_decay

Rows = list[int]
SIGNAL_AFTER: int | None = None
"""Steps after which this process sends itself SIGTERM."""
KIND = StageKind(name="regression", version=1, function="regression:run", parallel=True)
STEPS = 12


class Regression:
    """A small net with dropout and an average of its weights, on examples of unequal weight.

    One part sees every eighth example alone, none in every third batch.
    """

    def __init__(
        self, *, dropout: float = 0.5, poison_step: int | None = None, capacity: int | None = None
    ) -> None:
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, 1))
        self.average = nn.Linear(16, 1)
        self.eye = nn.Linear(4, 1)
        self.poison_step = poison_step
        self.capacity = capacity
        self.passes: list[int] = []
        self.net.register_parameter("unused", nn.Parameter(torch.ones(2)))

    def parameter_groups(self) -> list[ParameterGroup]:
        first = split_decay("first", self.net[0].parameters(), lr=0.01, weight_decay=0.1)
        rest = [value for name, value in self.net.named_parameters() if not name.startswith("0.")]
        second = split_decay("second", rest, lr=0.003, weight_decay=0.0)
        return first + second + split_decay("eye", self.eye.parameters(), lr=0.01, weight_decay=0.1)

    def state(self) -> dict[str, nn.Module]:
        return {"net": self.net, "average": self.average, "eye": self.eye}

    def batch(self, step: int) -> Rows:
        return [step * 8 + row for row in range(8)]

    def split(self, batch: Rows, micro_batch: int) -> list[Rows]:
        return [batch[start : start + micro_batch] for start in range(0, len(batch), micro_batch)]

    def prepare(self, part: Rows, /) -> Prepared:
        return Prepared(content=part, amount=Amount(examples=len(part)))

    def loss(self, micro_batch: Rows, /) -> tuple[Tensor, Tensor]:
        self.passes.append(len(micro_batch))
        rows = torch.tensor(micro_batch, dtype=torch.float32)
        inputs = torch.stack([torch.sin(rows * frequency) for frequency in (1, 2, 3, 4)], dim=1)
        weights = rows % 3 + 1
        guesses = self.net(inputs).squeeze(1)
        seen = (rows % 8 == 0) & (rows // 8 % 3 != 2)
        if seen.any():
            guesses = guesses.masked_scatter(seen, guesses[seen] + self.eye(inputs[seen]).squeeze(1))
        errors = (guesses - inputs.sum(1)) ** 2
        if self.poison_step is not None and self.poison_step * 8 in micro_batch:
            errors = errors * torch.nan
        total = (errors * weights).sum()
        if self.capacity is not None and len(micro_batch) > self.capacity:
            total.backward()  # there are gradients of a part of the batch when it happens
            raise torch.OutOfMemoryError(f"no room for {len(micro_batch)} rows")
        return total, weights.sum()

    def ids(self, batch: Rows) -> list[str]:
        return [f"row-{row}" for row in batch]

    def after_step(self, step: int) -> None:
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.net[3].parameters(), strict=True):
                mean.lerp_(value, 0.1)

    def recompute_activations(self) -> bool:
        return False


def schedule(steps: int = STEPS, clip: float = 1.0) -> Schedule:
    return Schedule(steps=steps, batch_size=8, warmup_fraction=0.25, clip=clip, betas=(0.9, 0.95), seed=3)


def weights(task: Regression) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, module in task.state().items()
        for key, value in module.state_dict().items()
    }


def run(recipe: Mapping[str, Any], inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Train; `dies` names a worker and the step after which it is killed, `slow` the seconds of a step."""
    task = Regression(
        dropout=0.0,
        poison_step=recipe.get("poison_step"),
        capacity=recipe.get("capacity", {}).get(str(rank())),
    )
    average = task.after_step

    def after_step(step: int) -> None:
        average(step)
        time.sleep(recipe.get("slow", 0.0))
        if step + 1 == SIGNAL_AFTER:
            os.kill(os.getpid(), signal.SIGTERM)
        if recipe.get("dies") == [rank(), step]:
            os.kill(os.getpid(), signal.SIGKILL)

    task.after_step = after_step
    result = fit(task, schedule(recipe.get("steps", STEPS)), training_conditions(context))
    assert rank() == 0, "what follows is the first worker's"
    torch.save(weights(task), context.payload / "weights.pt")
    return {"losses": list(result.losses), "resumed_step": result.resumed_step}


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0
