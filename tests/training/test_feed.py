"""Data prepared ahead of the step: in order, a few at a time, and no thread that outlives its use."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from regression import STEPS, Regression, Rows, schedule
from torch import Tensor

from cambrian.errors import DataError
from cambrian.feed import DEPTH, Ahead
from cambrian.preemption import Preempted
from cambrian.task import Prepared
from cambrian.training import Conditions, fit

PATIENCE = 30.0
"""Seconds to wait for what must come."""


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    assert [thread for thread in threading.enumerate() if thread.name == "feed"] == []


class Watched(Regression):
    """Says what is prepared and what is computed."""

    def __init__(self) -> None:
        super().__init__(dropout=0.0)
        self.prepared: list[int] = []
        self.computed: list[int] = []
        self.changed = threading.Condition()

    def prepare(self, part: Rows, /) -> Prepared:
        with self.changed:
            self.prepared.append(part[0])
            self.changed.notify_all()
        return super().prepare(part)

    def loss(self, content: Rows, /) -> tuple[Tensor, Tensor]:
        self.computed.append(content[0])
        return super().loss(content)


def test_the_next_step_is_prepared_while_this_one_is_computed(tmp_path: Path) -> None:
    class Slow(Watched):
        def loss(self, content: Rows, /) -> tuple[Tensor, Tensor]:
            following = content[0] + 8
            if following < STEPS * 8:
                with self.changed:
                    assert self.changed.wait_for(lambda: following in self.prepared, PATIENCE)
            # One is at work, `DEPTH` wait, and one may be in preparation.
            assert len(self.prepared) <= len(self.computed) + DEPTH + 2
            return super().loss(content)

    task = Slow()
    fit(task, schedule(), Conditions(workdir=tmp_path))
    assert task.prepared == task.computed == [step * 8 for step in range(STEPS)]


def test_the_wait_for_data_is_counted(tmp_path: Path) -> None:
    """Nothing is prepared before it is asked for here, so that every step waits."""
    facts: dict[str, float] = {}

    class Starved(Watched):
        def prepare(self, part: Rows, /) -> Prepared:
            with self.changed:
                assert self.changed.wait_for(lambda: len(self.passes) * 8 >= part[0], PATIENCE)
                self.changed.wait(0.02)
            return super().prepare(part)

        def loss(self, content: Rows, /) -> tuple[Tensor, Tensor]:
            loss = super().loss(content)
            with self.changed:
                self.changed.notify_all()
            return loss

    fit(Starved(), schedule(), Conditions(workdir=tmp_path, note=facts.update))
    assert 0 < facts["data_wait"] < 1
    assert facts["examples_per_second"] > 0


@pytest.mark.parametrize("error", [DataError("row 7 is gone"), KeyError("row"), OSError(5, "disk")], ids=repr)
def test_what_goes_wrong_with_the_data_is_raised_at_its_step(tmp_path: Path, error: Exception) -> None:
    class Broken(Watched):
        def prepare(self, part: Rows, /) -> Prepared:
            if part[0] == 24:
                raise error
            return super().prepare(part)

    task = Broken()
    with pytest.raises(type(error)) as caught:
        fit(task, schedule(), Conditions(workdir=tmp_path))
    assert caught.value is error
    assert task.computed == [0, 8, 16]


def test_want_of_memory_for_data_makes_smaller_bites(tmp_path: Path) -> None:
    class Cramped(Watched):
        def prepare(self, part: Rows, /) -> Prepared:
            if len(part) > 2:
                raise MemoryError
            return super().prepare(part)

    task = Cramped()
    fit(task, schedule(), Conditions(workdir=tmp_path))
    assert task.passes == [2] * 4 * STEPS


def test_a_new_cut_discards_what_was_prepared(tmp_path: Path) -> None:
    class Short(Watched):
        def __init__(self) -> None:
            super().__init__()
            self.capacity = 8

        def loss(self, content: Rows, /) -> tuple[Tensor, Tensor]:
            if content[0] == 16 and len(content) == 8:
                with self.changed:
                    assert self.changed.wait_for(lambda: 32 in self.prepared, PATIENCE)
                self.capacity = 4
            return super().loss(content)

    task = Short()
    fit(task, schedule(), Conditions(workdir=tmp_path))
    assert task.passes == [8, 8, 8, *[4] * 2 * (STEPS - 2)]
    assert task.computed == [0, 8, 16, *range(16, STEPS * 8, 4)]


@pytest.mark.parametrize("way", ["stopped", "interrupted"])
def test_leaving_early_ends_the_preparation(tmp_path: Path, way: str) -> None:
    def progress(done: int, steps: int) -> None:
        if way == "interrupted" and done == 2:
            raise KeyboardInterrupt

    task = Watched()
    with pytest.raises(Preempted if way == "stopped" else KeyboardInterrupt):
        fit(
            task,
            schedule(),
            Conditions(
                workdir=tmp_path,
                progress=progress,
                stopping=lambda: way == "stopped" and len(task.passes) > 1,
            ),
        )
    assert len(task.prepared) <= len(task.computed) + DEPTH + 1


def test_items_come_in_order_then_the_end() -> None:
    ahead = Ahead(iter(range(100)), 2)
    assert list(ahead) == list(range(100))
    ahead.close()


def test_closing_does_not_wait_for_a_taker() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    ahead = Ahead(items(), 2)
    assert next(ahead) == 0
    ahead.close()
    assert len(taken) <= 4
