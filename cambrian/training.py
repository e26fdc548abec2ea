"""The training loop of every stage: the task says what the loss is, the loop does everything else."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cambrian.accumulation import Accumulator
from cambrian.checkpoints import load_checkpoint, save_checkpoint
from cambrian.errors import UserError
from cambrian.guards import LeftOuts, NonFiniteLoss, find_spikes
from cambrian.optimizer import (
    ParameterGroup,
    Schedule,
    cosine_factor,
    make_optimizer,
    prepare_step,
    read_schedule,
    split_decay,
)
from cambrian.preemption import Preempted
from cambrian.runtime import SilentTracker, Tracker
from cambrian.task import Amount, LeftOut, Task
from cambrian.throughput import Meter
from cambrian.training_state import not_finite, restore, state_of
from cambrian.workers import Dismissed, Workers, current_workers

__all__ = [
    "Conditions",
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


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Where and how fast a training run takes place; nothing here changes its result."""

    workdir: Path
    """Holds the checkpoints of this run and of no other."""
    device: str = "cpu"
    """Torch device of the task's modules; CUDA computes in bfloat16 (weights stay as they are)."""
    peak_flops: float | None = None
    """What the device can do in a second, if that is known."""
    micro_batch: int = 0
    """Examples per forward pass, 0 for the whole batch; changes the result by rounding only."""
    checkpoint_seconds: float = 20.0
    """Least time between two checkpoints."""
    tracker: Tracker = field(default_factory=SilentTracker)
    progress: Callable[[int, int], None] = lambda done, steps: None
    """Called after each step with the steps done and the steps in all."""
    stopping: Callable[[], bool] = lambda: False
    """Asked at each step; once it says so, that step is saved and `Preempted` raised."""
    note: Callable[[Mapping[str, Any]], None] = lambda facts: None
    """Called at the end with what the machine had to do with it: workers, micro-batch, throughput."""
    idle: Callable[[], Tensor] | None = None
    """For a task whose modules are divided over the workers, which therefore make all passes together: gives
    a loss without effect, by the way of any other. None if every worker has all of the modules."""
    finish: Callable[[], None] = lambda: None
    """Called after the last step in every worker, before all but the first are dismissed."""


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What training reports."""

    losses: tuple[float, ...]
    """Mean loss of every step, those before an interruption included."""
    seconds: float
    """Time in the loop, all sessions together."""
    resumed_step: int
    """Steps that a checkpoint saved from being repeated; 0 when started afresh."""
    left_out: tuple[LeftOut, ...]
    """Examples that could not be used, of all workers and all sessions."""
    amount: Amount
    """What was computed, by all workers in all sessions."""
    spikes: int
    """Steps at which the loss or the gradient leapt, by `cambrian.guards.find_spikes`."""


def fit(task: Task[Any], schedule: Schedule, conditions: Conditions) -> FitResult:
    """Train `task` from its start, or from the last checkpoint, to the end of `schedule`.

    In a process that has joined `cambrian.workers`, all of them call it with like tasks and share the work.
    An interrupted and resumed run on a CPU gives the same weights, bit for bit, as one in a single session:
    batches and random numbers are functions of the step, everything else is in the checkpoint.

    Raises:
        NonFiniteLoss: with the step and the ids of its batch.
        OutOfMemory: if even one example at a time needs too much.
        Preempted: when told to stop; the checkpoint is that of the last step.
        Dismissed: at the end, in every worker but the first.
        DataError: if too many examples cannot be used.
        UserError: if the working directory holds checkpoints of another schedule.
    """
    workers = current_workers(conditions.device)
    place = torch.device(conditions.device)
    loop = _Loop(task, schedule, conditions, workers)
    loop.resume()
    resumed_step, before, started = loop.step, loop.seconds, time.monotonic()
    saved = started
    log_every = max(1, schedule.steps // LOG_POINTS)
    loop.meter.start()
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []), closing(loop):
        while loop.step < schedule.steps:
            metrics = loop.advance()
            now = time.monotonic()
            loop.seconds = before + now - started
            finished = loop.step == schedule.steps
            leaving = loop.told_to_stop and not finished
            if loop.saves(now - saved >= conditions.checkpoint_seconds or finished or leaving):
                loop.save()
                saved = now
            if loop.step % log_every == 0 or finished:
                recent = loop.losses[-log_every:]
                average = {"loss": sum(recent) / len(recent)}
                conditions.tracker.log(metrics | average | loop.meter.read(), step=loop.step)
            conditions.progress(loop.step, schedule.steps)
            if leaving and workers.is_first:
                raise Preempted(f"left at step {loop.step} of {schedule.steps}")
            if leaving:
                break
    if loop.step == schedule.steps:
        conditions.finish()
    if not workers.is_first:
        raise Dismissed
    conditions.note(loop.facts())
    return FitResult(
        losses=tuple(loop.losses),
        seconds=loop.seconds,
        resumed_step=resumed_step,
        left_out=loop.left_outs.found,
        amount=loop.meter.total,
        spikes=loop.spikes,
    )


class _Loop:
    """State of a training run: the task's modules, the optimizer, and how far it has come."""

    def __init__(self, task: Task[Any], schedule: Schedule, conditions: Conditions, workers: Workers) -> None:
        self._task = task
        self._schedule = schedule
        self._conditions = conditions
        self._workers = workers
        self._groups = task.parameter_groups()
        parameters = [parameter for group in self._groups for parameter in group.parameters]
        self._optimizer = make_optimizer(self._groups, schedule.betas)
        peak = conditions.peak_flops
        self.meter = Meter(peak_flops=None if peak is None else peak * workers.count)
        self._accumulator = Accumulator(
            task,
            parameters,
            steps=schedule.steps,
            batch_size=schedule.batch_size,
            micro_batch=conditions.micro_batch,
            device=torch.device(conditions.device),
            workers=workers,
            meter=self.meter,
            idle=conditions.idle,
        )
        saved = {id(parameter) for module in task.state().values() for parameter in module.parameters()}
        assert saved.issuperset(map(id, parameters)), "state() lacks what is trained"
        if conditions.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(conditions.device)
        self.step = 0
        self.losses: list[float] = []
        self.seconds = 0.0
        self.left_outs = LeftOuts()
        self.spikes = 0
        self._norms: list[float] = []
        self._ids: list[str] = []
        self.told_to_stop = False

    def advance(self) -> dict[str, float]:
        """Take one step: forward and backward over the global batch, clip, update."""
        schedule = self._schedule
        seed = schedule.seed * 1_000_003 + self.step
        sums = self._accumulator.compute(self.step, seed=seed, stop=self._conditions.stopping())
        self._ids = self._task.ids(sums.batch)
        self.meter.add(sums.amount)
        seen = (self.step + 1) * schedule.batch_size
        self.left_outs.add(sums.left_out, seen=seen, speak=self._workers.is_first)
        norm = sums.norm / sums.weight
        clipping = torch.clamp(schedule.clip / (norm + 1e-6), max=1.0)
        mean, length = torch.stack([sums.loss / sums.weight, norm]).tolist()
        if not sums.amount.examples:  # nothing of the batch could be used: a step that changes nothing
            mean, length = self.losses[-1] if self.losses else 0.0, 0.0
        for what, value in (("loss", mean), ("norm of the gradient", length)):
            if not math.isfinite(value):
                raise NonFiniteLoss(f"{what} is {value}", self.step, self._ids)
        for gradient in sums.gradients:
            gradient.mul_(clipping / sums.weight)
        factor = cosine_factor(self.step, steps=schedule.steps, warmup_fraction=schedule.warmup_fraction)
        prepare_step(self._optimizer, self._groups, factor)
        self._optimizer.step()
        self._task.after_step(self.step)
        self.losses.append(mean)
        self._norms.append(length)
        self._look_for_spikes()
        self.step += 1
        self.told_to_stop = sums.stop
        rates = {f"lr/{group.name}": group.lr * factor for group in self._groups}
        return {"loss": mean, "gradient_norm": length} | rates

    def close(self) -> None:
        """End what prepares the data."""
        self._accumulator.close()

    def _look_for_spikes(self) -> None:
        """Warn if the newest step is far off the usual; it counts like any other."""
        leaps = find_spikes({"loss": self.losses, "norm of the gradient": self._norms})
        self.spikes += bool(leaps)
        if leaps and self._workers.is_first:
            said, ids = "; ".join(leaps), ", ".join(self._ids)
            logger.warning("spike at step %d: %s; examples of the batch: %s", self.step, said, ids)

    def facts(self) -> dict[str, Any]:
        """What the machine had to do with it."""
        facts = {
            "workers": self._workers.count,
            "micro_batch": self._accumulator.micro_batch,
            "recomputed_activations": self._accumulator.recomputes,
            **self.left_outs.facts(),
            "cut_examples": self.meter.total.cut_examples,
            "cut_tokens": self.meter.total.cut_tokens,
            "spikes": self.spikes,
            **self.meter.overall(),
        }
        if self._conditions.idle is not None:
            facts["sharded"] = True
        device = self._conditions.device
        if device.startswith("cuda"):
            facts["peak_gpu_bytes"] = torch.cuda.max_memory_allocated(device)
        return facts

    def saves(self, due: bool) -> bool:
        """Whether to save now: the first worker if it is due, or all where each has a part of the model."""
        if self._conditions.idle is None:
            return due and self._workers.is_first
        return self._workers.largest(due) > 0

    def save(self) -> None:
        """Write a checkpoint, unless a weight is not a finite number."""
        modules = self._task.state()
        spoiled = not_finite(modules)
        if spoiled is not None:
            raise NonFiniteLoss(f"{spoiled} is not finite", self.step - 1, self._ids)
        state = {
            "schedule": asdict(self._schedule),
            "step": self.step,
            "losses": self.losses,
            "norms": self._norms,
            "spikes": self.spikes,
            "left_out": self.left_outs.state(),
            "amount": list(self.meter.total),
            "seconds": self.seconds,
            **state_of(modules, self._groups, self._optimizer),
        }
        together = self._conditions.idle is not None
        workers = self._workers if together else Workers()
        save_checkpoint(self._conditions.workdir, self.step, state, workers)

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        state = load_checkpoint(self._conditions.workdir, self._workers)
        if state is None:
            return
        if state["schedule"] != asdict(self._schedule):
            raise UserError(
                f"{self._conditions.workdir} holds checkpoints of another training run "
                f"({state['schedule']} instead of {asdict(self._schedule)}); delete that directory"
            )
        restore(state, self._task.state(), self._groups, self._optimizer)
        self.step, self.losses, self.seconds = state["step"], state["losses"], state["seconds"]
        self._norms, self.spikes = state["norms"], state["spikes"]
        self.left_outs.load(state["left_out"])
        self.meter.before = Amount(*state["amount"])
        logger.info("resumed at step %d of %d", self.step, self._schedule.steps)
