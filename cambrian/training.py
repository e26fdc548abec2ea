"""The training loop of every stage: the task says what the loss is, the loop does everything else."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from cambrian.checkpoints import load_checkpoint, save_checkpoint
from cambrian.errors import UserError
from cambrian.optimizer import ParameterGroup, cosine_factor, make_optimizer, split_decay
from cambrian.runtime import Tracker

__all__ = [
    "FitResult",
    "NonFiniteLoss",
    "ParameterGroup",
    "Schedule",
    "Task",
    "fit",
    "read_schedule",
    "split_decay",
]

LOG_POINTS = 200
"""Points of the loss curve that a tracker is given."""

logger = logging.getLogger(__name__)

Batch = TypeVar("Batch")


class NonFiniteLoss(ArithmeticError):  # noqa: N818 - it names the event
    """The loss, a gradient or a weight stopped being a number; checkpoints hold what was before."""

    def __init__(self, what: str, step: int, ids: list[str]) -> None:
        self.step = step
        self.ids = tuple(ids)
        super().__init__(f"{what} at step {step}; examples of the batch: {', '.join(ids)}")


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


class Task(Protocol[Batch]):
    """What is trained, on what. Its modules and micro-batches are on the device it was made for."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """Parameters to train, in an order that is always the same."""
        ...

    def state(self) -> dict[str, nn.Module]:
        """All modules that change in training: those with the parameters above, and averages of them."""
        ...

    def batch(self, step: int) -> Batch:
        """Global batch of 0-based `step`: a function of the step and the task's seed alone."""
        ...

    def split(self, batch: Batch, micro_batch: int) -> list[Batch]:
        """Cut into parts of at most `micro_batch` examples."""
        ...

    def loss(self, micro_batch: Batch) -> tuple[Tensor, Tensor]:
        """Sum of the losses and its weight (what to divide the sum by, such as the number of tokens)."""
        ...

    def ids(self, batch: Batch) -> list[str]:
        """Names of the examples, for a message."""
        ...

    def after_step(self, step: int) -> None:
        """Do what follows an update, such as averaging weights; may do nothing."""
        ...


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What training reports."""

    losses: tuple[float, ...]
    """Mean loss of every step, those before an interruption included."""
    seconds: float
    """Time in the loop, all sessions together."""
    resumed_step: int
    """Steps that a checkpoint saved from being repeated; 0 when started afresh."""


def fit(
    task: Task[Any],
    schedule: Schedule,
    *,
    workdir: Path,
    device: str,
    micro_batch: int,
    checkpoint_seconds: float,
    tracker: Tracker,
    progress: Callable[[int, int], None],
) -> FitResult:
    """Train `task` from its start, or from the last checkpoint in `workdir`, to the end of `schedule`.

    An interrupted and resumed run on a CPU gives the same weights, bit for bit, as one in a single session:
    batches and random numbers are functions of the step, everything else is in the checkpoint.

    Args:
        workdir: holds the checkpoints of this run and of no other.
        device: torch device of the task's modules; CUDA computes in bfloat16 (weights stay as they are).
        micro_batch: examples per forward pass, 0 for the whole batch; changes the result by rounding only.
        checkpoint_seconds: least time between two checkpoints.
        progress: called after each step with the steps done and the steps in all.

    Raises:
        NonFiniteLoss: with the step and the ids of its batch.
        UserError: if `workdir` holds checkpoints of another schedule.
    """
    place = torch.device(device)
    loop = _Loop(task, schedule, place, micro_batch or schedule.batch_size)
    loop.resume(workdir)
    resumed_step, before, started = loop.step, loop.seconds, time.monotonic()
    saved = started
    log_every = max(1, schedule.steps // LOG_POINTS)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        while loop.step < schedule.steps:
            metrics = loop.advance()
            now = time.monotonic()
            loop.seconds = before + now - started
            if now - saved >= checkpoint_seconds or loop.step == schedule.steps:
                loop.save(workdir)
                saved = now
            if loop.step % log_every == 0 or loop.step == schedule.steps:
                recent = loop.losses[-log_every:]
                rate = (loop.step - resumed_step) * schedule.batch_size / (now - started)
                averages = {"loss": sum(recent) / len(recent), "examples_per_second": rate}
                tracker.log(metrics | averages, step=loop.step)
            progress(loop.step, schedule.steps)
    return FitResult(losses=tuple(loop.losses), seconds=loop.seconds, resumed_step=resumed_step)


class _Loop:
    """State of a training run: the task's modules, the optimizer, and how far it has come."""

    def __init__(self, task: Task[Any], schedule: Schedule, device: torch.device, micro_batch: int) -> None:
        self._task = task
        self._schedule = schedule
        self._device = device
        self._micro_batch = micro_batch
        self._groups = task.parameter_groups()
        self._parameters = [parameter for group in self._groups for parameter in group.parameters]
        self._optimizer = make_optimizer(self._groups, schedule.betas)
        saved = {id(parameter) for module in task.state().values() for parameter in module.parameters()}
        assert saved.issuperset(map(id, self._parameters)), "state() lacks what is trained"
        self.step = 0
        self.losses: list[float] = []
        self.seconds = 0.0

    def advance(self) -> dict[str, float]:
        """Take one step: forward and backward over the global batch, clip, update."""
        schedule = self._schedule
        torch.manual_seed(schedule.seed * 1_000_003 + self.step)
        batch = self._task.batch(self.step)
        self._optimizer.zero_grad()
        loss, weight = self._accumulate(batch)
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients) / weight
        clipping = torch.clamp(schedule.clip / (norm + 1e-6), max=1.0)
        mean, length = torch.stack([loss / weight, norm]).tolist()
        for what, value in (("loss", mean), ("norm of the gradient", length)):
            if not math.isfinite(value):
                raise NonFiniteLoss(f"{what} is {value}", self.step, self._task.ids(batch))
        for gradient in gradients:
            gradient.mul_(clipping / weight)
        factor = cosine_factor(self.step, steps=schedule.steps, warmup_fraction=schedule.warmup_fraction)
        for group, settings in zip(self._groups, self._optimizer.param_groups, strict=True):
            settings["lr"] = group.lr * factor
        self._optimizer.step()
        self._task.after_step(self.step)
        self.step += 1
        self.losses.append(mean)
        rates = {f"lr/{group.name}": group.lr * factor for group in self._groups}
        return {"loss": mean, "gradient_norm": length} | rates

    def _accumulate(self, batch: object) -> tuple[Tensor, Tensor]:
        """Gradients of the summed loss of all micro-batches; the sum and its total weight."""
        loss = torch.zeros((), device=self._device)
        weight = torch.zeros((), device=self._device)
        on_cuda = self._device.type == "cuda"
        for part in self._task.split(batch, self._micro_batch):
            with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=on_cuda):
                part_loss, part_weight = self._task.loss(part)
            part_loss.backward()
            loss += part_loss.detach()
            weight += part_weight.detach()
        return loss, weight

    def save(self, workdir: Path) -> None:
        """Write a checkpoint, unless a weight is not a finite number."""
        modules = {name: module.state_dict() for name, module in self._task.state().items()}
        for name, weights in modules.items():
            for key, value in weights.items():
                if not torch.isfinite(value).all():
                    batch = self._task.batch(self.step - 1)
                    raise NonFiniteLoss(f"{name}.{key} is not finite", self.step - 1, self._task.ids(batch))
        state = {
            "schedule": asdict(self._schedule),
            "step": self.step,
            "losses": self.losses,
            "seconds": self.seconds,
            "optimizer": self._optimizer.state_dict(),
            "modules": modules,
        }
        save_checkpoint(workdir, self.step, state)

    def resume(self, workdir: Path) -> None:
        """Continue from the newest checkpoint, if there is one."""
        state = load_checkpoint(workdir)
        if state is None:
            return
        if state["schedule"] != asdict(self._schedule):
            raise UserError(
                f"{workdir} holds checkpoints of another training run "
                f"({state['schedule']} instead of {asdict(self._schedule)}); delete that directory"
            )
        for name, module in self._task.state().items():
            module.load_state_dict(state["modules"][name])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.losses, self.seconds = state["step"], state["losses"], state["seconds"]
        logger.info("resumed at step %d of %d", self.step, self._schedule.steps)
