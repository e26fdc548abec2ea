"""Too little memory: smaller bites, then recomputed activations, the same result."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from regression import Regression, Rows, schedule, weights
from torch import Tensor

from cambrian.memory import OutOfMemory, is_shortage, peak_bytes
from cambrian.training import Conditions, FitResult, fit

ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to ..."
)


class Cramped(Regression):
    """Says that memory is short above `capacity` rows a pass, and helps itself by `relief` more rows."""

    def __init__(self, capacity: int, *, relief: int = 0, error: Exception | None = None) -> None:
        super().__init__(dropout=0.0, capacity=capacity)
        self.relief = relief
        self.error = error
        self.held: list[weakref.ref[Tensor]] = []

    def loss(self, micro_batch: Rows, /) -> tuple[Tensor, Tensor]:
        assert not any(tensor() is not None for tensor in self.held), "a failed pass still holds its tensors"
        try:
            return super().loss(micro_batch)
        except torch.OutOfMemoryError as error:
            assert error.__traceback__ is not None and error.__traceback__.tb_next is not None
            self.held.append(weakref.ref(error.__traceback__.tb_next.tb_frame.f_locals["total"]))
            if self.error is not None:
                raise type(self.error)(*self.error.args) from None
            raise

    def recompute_activations(self) -> bool:
        assert self.capacity is not None
        self.capacity += self.relief
        return self.relief > 0


class Whole(Cramped):
    """Cannot be cut."""

    def split(self, batch: Rows, micro_batch: int) -> list[Rows]:
        return [batch]


def train(task: Regression, workdir: Path, facts: dict[str, Any], micro_batch: int = 0) -> FitResult:
    conditions = Conditions(workdir=workdir, micro_batch=micro_batch, note=facts.update)
    return fit(task, schedule(), conditions)


@pytest.mark.parametrize(
    ("capacity", "relief", "start", "micro_batch", "recomputes", "first_passes"),
    [
        (8, 0, 0, 8, False, [8, 8, 8]),
        (4, 0, 0, 4, False, [8, 4, 4, 4]),
        (3, 0, 0, 2, False, [8, 4, 2, 2, 2, 2, 2]),
        (1, 0, 5, 1, False, [4, 2, *[1] * 8]),
        (0, 1, 0, 1, True, [8, 4, 2, 1, *[1] * 8]),
    ],
)
def test_the_result_is_that_of_enough_memory(
    tmp_path: Path,
    capacity: int,
    relief: int,
    start: int,
    micro_batch: int,
    recomputes: bool,
    first_passes: list[int],
) -> None:
    task, roomy, facts = Cramped(capacity, relief=relief), Regression(dropout=0.0), {}
    losses = train(task, tmp_path / "cramped", facts, start).losses
    assert losses == pytest.approx(train(roomy, tmp_path / "roomy", {}).losses, rel=1e-5)
    for key, value in weights(task).items():
        torch.testing.assert_close(value, weights(roomy)[key], rtol=1e-4, atol=1e-5)
    assert task.passes[: len(first_passes)] == first_passes
    assert facts["micro_batch"] == micro_batch
    assert facts["recomputed_activations"] is recomputes


def test_a_batch_that_cannot_be_cut_is_not_tried_again_in_smaller_bites(tmp_path: Path) -> None:
    task, facts = Whole(4, relief=4), {}
    train(task, tmp_path, facts)
    assert task.passes[:3] == [8, 8, 8]
    assert facts["recomputed_activations"]


def test_at_the_end_of_the_ladder_the_error_says_what_was_tried(tmp_path: Path) -> None:
    with pytest.raises(
        OutOfMemory,
        match=r"out of memory at step 0 with micro-batches of 1; .* needed \d+\.\d GiB\. .* more of it",
    ):
        train(Cramped(0), tmp_path, {})


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (RuntimeError(ALLOCATOR), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError(ALLOCATOR), False),
    ],
)
def test_only_want_of_memory_is_answered_by_smaller_bites(
    tmp_path: Path, error: Exception, short: bool
) -> None:
    assert is_shortage(error) is short
    task = Cramped(4, error=error)
    if short:
        train(task, tmp_path, {})
        assert max(task.passes[1:]) == 4
    else:
        with pytest.raises(type(error), match=str(error)[:6].replace("[", r"\[")):
            train(task, tmp_path, {})


def test_the_peak_is_at_least_what_is_held() -> None:
    assert peak_bytes() > 50e6
