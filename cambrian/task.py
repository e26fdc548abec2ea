"""What a training task is: the loop knows its tasks by this and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from cambrian.optimizer import ParameterGroup

Batch = TypeVar("Batch")


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """An example that training does without."""

    index: int
    """Its place in the corpus."""
    id: str
    reason: str
    place: str = ""
    """File and line of its row; empty where it comes from no file."""
    kind: str = ""
    """The reason without what is particular to this example."""


class Amount(NamedTuple):
    """How much there is to compute; zeros where a task does not count."""

    examples: int = 0
    tokens: int = 0
    """Positions of a sequence model without padding."""
    positions: int = 0
    """The same with padding."""
    cut_examples: int = 0
    """Of the examples, those that were longer than the context."""
    cut_tokens: int = 0
    """What was cut off them, in tokens."""
    flops: float = 0.0
    """Of a forward and backward pass without padding and without anything computed twice."""


NOTHING = Amount()


def total_amount(amounts: Iterable[Amount]) -> Amount:
    """Add amounts up."""
    return Amount(*(sum(column) for column in zip(Amount(), *amounts, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A micro-batch ready to be computed."""

    content: Any = None
    """What the task's `loss` takes; None if there is nothing to compute."""
    amount: Amount = NOTHING
    left_out: tuple[LeftOut, ...] = ()


class Task(Protocol[Batch]):
    """What is trained, on what. Its modules are on the device it was made for.

    `batch`, `split` and `prepare` are called in a thread of their own, ahead of the steps they are for; they
    draw no random numbers from torch's generators.
    """

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
        """Cut into parts of at most `micro_batch` examples; examples of like length belong together."""
        ...

    def prepare(self, part: Batch, /) -> Prepared:
        """Do all that the loss of a part needs but the model, such as reading images."""
        ...

    def loss(self, content: Any, /) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - as prepared
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
