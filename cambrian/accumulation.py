"""Gradients of a global batch, however little memory there is and however many workers share it.

Sums are added up, over micro-batches and over workers, and divided by the weight of the whole batch once:
shares may be of any size, even empty, and how the batch is cut changes the result by rounding only.

Plain sums after the backward pass, and not `DistributedDataParallel`: that takes means of equal shares, must
be told which backward pass is the last, and sends gradients during it, so that a worker without images, or
one that has run out of memory halfway, leaves the others waiting. What it has over this is that it sends
while it computes.

A model that is divided over the workers (`cambrian.model.placement`) is another matter: every pass of one
worker through a layer needs all the others to make it too. All workers have as many portions of a batch; who
has an empty one makes an idle pass. The gradients of its layers are added up on the way.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.feed import DEPTH, Ahead, Portion, portions
from cambrian.memory import OutOfMemory, is_shortage, peak_bytes
from cambrian.precision import lowered
from cambrian.shards import is_divided, local
from cambrian.task import Amount, LeftOut, Task, total_amount
from cambrian.throughput import Meter
from cambrian.workers import Workers

RANK_SEED = 982_451_653
"""Prime; keeps what workers draw apart. CPU generators use the lower 32 bits of a seed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GradientSum:
    """Of one global batch, the same in every worker."""

    loss: Tensor
    """Sum of the losses."""
    weight: Tensor
    """What to divide sums by."""
    gradients: list[Tensor]
    """Sums, of the parameters that have one, as far as they are held here; the parameters' own `grad`."""
    norm: Tensor
    """Of all of them together, those held by other workers included."""
    stop: bool
    """Whether any worker was asked to stop."""
    batch: Any
    """The task's batch that it is of."""
    amount: Amount
    left_out: tuple[LeftOut, ...]
    """Examples of the batch that could not be used."""


@dataclass(frozen=True, kw_only=True)
class _Share:
    """What this worker has computed of one global batch, gradients aside."""

    loss: Tensor
    weight: Tensor
    batch: Any
    amount: Amount
    left_out: tuple[LeftOut, ...]


class Accumulator:
    """Computes the gradients of one batch after the other, with less memory once it did not suffice."""

    def __init__(
        self,
        task: Task[Any],
        parameters: Sequence[nn.Parameter],
        *,
        steps: int,
        batch_size: int,
        micro_batch: int,
        device: torch.device,
        workers: Workers,
        meter: Meter,
        idle: Callable[[], Tensor] | None,
    ) -> None:
        """Prepare for `steps` batches of `batch_size` examples.

        `micro_batch` is 0 for all of a share at once; `meter` is told how long the data are waited for. A
        model that is divided has an `idle`: it gives a loss without effect, by the way of any other.
        """
        self._task = task
        self._parameters = parameters
        self._steps = steps
        self._device = device
        self._workers = workers
        self._meter = meter
        self._idle = idle
        self._feed: Ahead[Portion] | None = None
        share = math.ceil(batch_size / workers.count)
        passes = math.ceil(share / min(micro_batch or share, share))
        self.micro_batch = math.ceil(share / passes)
        """Examples per forward pass, as like as can be; halved when memory does not suffice."""
        self.recomputes = False
        """Whether the backward pass computes activations again, for memory's sake."""
        if idle is not None:  # it is large, and one worker without memory could not make all begin again
            self.recomputes = task.recompute_activations()

    def compute(self, step: int, *, seed: int, stop: bool) -> GradientSum:
        """Give the gradients of the batch of `step`; what the model draws follows from `seed`.

        All workers call it together, for one step after the other, each with its own `stop`. One that runs
        out of memory makes all of them begin again.

        Raises:
            OutOfMemory: if nothing is left to try.
            Exception: whatever the task's data raise.
        """
        while True:
            torch.manual_seed(seed + RANK_SEED * self._workers.rank)
            share = self._attempt(step)
            present = [parameter.grad is not None for parameter in self._parameters]
            amount, left_out = (share.amount, share.left_out) if share else (Amount(), ())
            own = [share is None, stop, step, len(left_out), *amount, *present]
            short, stopping, steps, missing, *rest = self._workers.sum_numbers(own)
            assert steps == step * self._workers.count, "workers are at different steps"
            if share is not None and not short:
                break
            self._need_less(step)
        counts, owners = rest[: len(amount)], rest[len(amount) :]
        gradients = self._shared_gradients(owners)
        wholes = [gradient for gradient in gradients if not is_divided(gradient)]
        pieces = [local(gradient) for gradient in gradients if is_divided(gradient)]
        self._workers.sum_tensors([share.loss, share.weight, *wholes])
        return GradientSum(
            loss=share.loss,
            weight=share.weight,
            gradients=[*wholes, *pieces],
            norm=self._norm(wholes, pieces),
            stop=stopping > 0,
            batch=share.batch,
            amount=Amount(*map(int, counts[:-1]), *counts[-1:]),
            left_out=tuple(self._workers.gather(left_out)) if missing else (),
        )

    def _norm(self, wholes: list[Tensor], pieces: list[Tensor]) -> Tensor:
        """Of the gradients that every worker has, and of those of which each has a piece."""
        norm = torch.nn.utils.get_total_norm(wholes)
        if self._idle is None:
            return norm
        squares = torch.nn.utils.get_total_norm(pieces).to(self._device).square()
        self._workers.sum_tensors([squares])
        return (norm.square() + squares).sqrt()

    def close(self) -> None:
        """End what prepares the data, and drop what is prepared."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None

    def _attempt(self, step: int) -> _Share | None:
        """Accumulate over the share of this worker; None, and nothing held, if memory does not suffice."""
        self._clear()
        try:
            return self._accumulate(step)
        except (RuntimeError, MemoryError) as error:
            if not is_shortage(error):
                raise
            if self._idle is not None:
                raise OutOfMemory(self._too_much()) from error
        # Behind the handler: the traceback, and with it all tensors of the failed pass, is gone.
        self._clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _accumulate(self, step: int) -> _Share:
        loss = torch.zeros((), device=self._device)
        weight = torch.zeros((), device=self._device)
        batch: Any = None
        amounts: list[Amount] = []
        left_out: list[LeftOut] = []
        for portion in self._portions(step):
            prepared = portion.prepared
            batch = portion.batch
            amounts.append(prepared.amount)
            left_out += prepared.left_out
            if prepared.content is None:
                self._pass_idly()
                continue
            with lowered(self._device):
                part_loss, part_weight = self._task.loss(prepared.content)
            if part_loss.requires_grad:  # not so of text alone while only the connector trains
                part_loss.backward()
            loss += part_loss.detach()
            weight += part_weight.detach()
        return _Share(
            loss=loss,
            weight=weight,
            batch=batch,
            amount=total_amount(amounts),
            left_out=tuple(left_out),
        )

    def _pass_idly(self) -> None:
        """Go where the others go that share the model, with nothing to compute."""
        if self._idle is None:
            return
        with lowered(self._device):
            loss = self._idle()
        loss.backward()

    def _portions(self, step: int) -> Iterator[Portion]:
        """Give what this worker computes at `step`, and let what follows be prepared meanwhile."""
        if self._feed is None:
            ahead = portions(
                self._task,
                self._workers,
                steps=range(step, self._steps),
                micro_batch=self.micro_batch,
                device=self._device,
            )
            self._feed = Ahead(ahead, DEPTH)
        last = False
        while not last:
            with self._meter.waiting():
                portion = next(self._feed)
            assert portion.step == step, (portion.step, step)
            last = portion.last
            yield portion

    def _clear(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def _shared_gradients(self, owners: Sequence[float]) -> list[Tensor]:
        """Gradients of what has one in any worker, zeros where this one has none (a share without images).

        A parameter that has none anywhere stays without, as the optimizer then leaves it alone.
        """
        gradients = []
        for parameter, count in zip(self._parameters, owners, strict=True):
            if count:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        return gradients

    def _need_less(self, step: int) -> None:
        """Make the next attempt need less memory; alike in all workers, for it looks at the whole batch."""
        self.close()
        batch = self._task.batch(step)
        half = self.micro_batch // 2
        if half and len(self._task.split(batch, half)) > len(self._task.split(batch, self.micro_batch)):
            self.micro_batch = half
            logger.warning("out of memory at step %d: going on with micro-batches of %d", step, half)
        elif not self.recomputes and self._task.recompute_activations():
            self.recomputes = True
            logger.warning("out of memory at step %d: going on with recomputed activations", step)
        else:
            recomputed = " and recomputed activations" if self.recomputes else ""
            raise OutOfMemory(
                f"out of memory at step {step} with micro-batches of {self.micro_batch}{recomputed}; "
                f"{self._peak()}. Free the memory that other processes hold, or use a device with more of it"
            )

    def _too_much(self) -> str:
        """What to do where the others are in the middle of a pass and cannot begin again with this worker."""
        half = self.micro_batch // 2
        advice = (
            f"set runtime.micro_batch={half}" if half else "use more processes, or a device with more of it"
        )
        return (
            f"out of memory with micro-batches of {self.micro_batch} and recomputed activations, the model "
            f"divided over {self._workers.count} processes; {self._peak()}. The checkpoint stays: {advice}"
        )

    def _peak(self) -> str:
        if self._device.type != "cuda":
            return f"this process has needed {peak_bytes() / 2**30:.1f} GiB"
        free, total = (amount / 2**30 for amount in torch.cuda.mem_get_info(self._device))
        peak = torch.cuda.max_memory_allocated(self._device) / 2**30
        return f"this process has needed {peak:.1f} of {total:.1f} GiB of {self._device}, {free:.1f} are free"
