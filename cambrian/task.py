"""What a training task is: the loop knows its tasks by this and by nothing else."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor, nn

from cambrian.optimizer import ParameterGroup

Batch = TypeVar("Batch")


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

    def recompute_activations(self) -> bool:
        """Spend time instead of memory from now on: let the backward pass compute activations again.

        Returns:
            Whether there was anything to save; asked once, when memory does not suffice.
        """
        ...
