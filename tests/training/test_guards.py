"""Losses that leap, and examples that cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from regression import Regression, Rows, schedule, weights
from torch import Tensor

from cambrian.errors import DataError
from cambrian.guards import LOOKBACK, SETTLED, LeftOuts, find_spikes
from cambrian.task import Amount, LeftOut, Prepared
from cambrian.throughput import Meter
from cambrian.training import Conditions, FitResult, fit

LOSS, NORM = "loss", "norm of the gradient"
STEPS = 30


def leap(name: str, before: list[float], last: float) -> list[str]:
    return find_spikes({name: [*before, last]})


@pytest.mark.parametrize(("name", "factor"), [(LOSS, 3.0), (NORM, 10.0)])
def test_a_spike_is_far_above_the_median_of_the_steps_before(name: str, factor: float) -> None:
    before = [1.0, 2.0, 3.0] * 10
    assert leap(name, before, 2 * factor) == []
    assert leap(name, before, 2 * factor + 0.1) == [f"{name} is {2 * factor + 0.1:.3g}, 2 being usual"]


def test_there_is_no_spike_in_the_first_steps() -> None:
    assert leap(LOSS, [1.0] * (SETTLED - 1), 1e6) == []
    assert leap(LOSS, [1.0] * SETTLED, 1e6) != []
    assert find_spikes({LOSS: [1.0], NORM: []}) == []


def test_the_median_forgets_what_is_long_ago() -> None:
    assert leap(LOSS, [1.0] * 5 * LOOKBACK + [10.0] * LOOKBACK, 20.0) == []


def test_what_stays_up_has_leapt_once() -> None:
    values = [1.0] * 50 + [9.0] * 3
    assert [bool(find_spikes({LOSS: values[: last + 1]})) for last in range(49, 53)] == [
        False,
        True,
        False,
        False,
    ]


class Leaping(Regression):
    """The loss of step 25 is a hundred times what it would be."""

    def loss(self, content: Rows, /) -> tuple[Tensor, Tensor]:
        total, weight = super().loss(content)
        return total * (100.0 if content[0] // 8 == 25 else 1.0), weight


def train(task: Regression, workdir: Path, **conditions: Any) -> FitResult:
    return fit(task, schedule(STEPS), Conditions(workdir=workdir, checkpoint_seconds=0.0, **conditions))


def test_a_spike_is_told_with_the_ids_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts: dict[str, Any] = {}
    task = Leaping(dropout=0.0)
    with caplog.at_level(logging.WARNING):
        result = train(task, tmp_path / "one", note=facts.update)
    (record,) = caplog.records
    assert record.getMessage().startswith("spike at step 25: loss is ")
    assert record.getMessage().endswith(
        "; examples of the batch: " + ", ".join(f"row-{row}" for row in range(200, 208))
    )
    assert result.spikes == facts["spikes"] == 1
    unwatched = Leaping(dropout=0.0)
    monkeypatch.setattr("cambrian.training.find_spikes", lambda curves: [])
    assert train(unwatched, tmp_path / "other").losses == result.losses
    assert all(torch.equal(value, weights(unwatched)[key]) for key, value in weights(task).items())


def test_spikes_before_an_interruption_count(tmp_path: Path) -> None:
    def interrupt(step: int, steps: int) -> None:
        if step == 28:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Leaping(dropout=0.0), tmp_path, progress=interrupt)
    result = train(Leaping(dropout=0.0), tmp_path)
    assert result.resumed_step == 28
    assert result.spikes == 1


def missing(count: int) -> list[LeftOut]:
    return [LeftOut(index=index, id=f"row-{index}", reason="is empty") for index in range(count)]


@pytest.mark.parametrize(
    ("count", "seen", "too_many"),
    [(19, 19, False), (20, 1999, True), (20, 2000, False), (300, 30_000, False), (301, 30_000, True)],
)
def test_more_than_one_in_a_hundred_is_a_wrong_folder(count: int, seen: int, too_many: bool) -> None:
    left_outs = LeftOuts()
    if too_many:
        with pytest.raises(DataError, match=r"first are 'row-0': is empty; .*'row-4': is empty$"):
            left_outs.add(missing(count), seen=seen, speak=False)
    else:
        left_outs.add(missing(count), seen=seen, speak=False)
    assert list(left_outs.found) == missing(count)


def test_an_example_is_named_once_however_often_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    left_outs = LeftOuts()
    for _ in range(2):
        left_outs.add(missing(2), seen=100, speak=True)
    assert [record.getMessage() for record in caplog.records] == [
        "left out example 'row-0': is empty",
        "left out example 'row-1': is empty",
    ]
    again = LeftOuts()
    again.load(left_outs.state())
    assert again.found == left_outs.found
    again.add(missing(3), seen=100, speak=False)
    assert len(again.found) == 3


class Gaps(Regression):
    """No example of step 3 can be used."""

    def prepare(self, part: Rows, /) -> Prepared:
        if part[0] // 8 != 3:
            return super().prepare(part)
        gone = [LeftOut(index=row, id=f"row-{row}", reason="is gone") for row in part]
        return Prepared(left_out=tuple(gone))


def test_a_batch_of_which_nothing_can_be_used_changes_nothing(tmp_path: Path) -> None:
    seen: list[dict[str, Tensor]] = []
    task = Gaps(dropout=0.0)
    task.after_step = lambda step: seen.append(weights(task))
    result = train(task, tmp_path)
    assert all(torch.equal(value, seen[2][key]) for key, value in seen[3].items())
    assert not torch.equal(seen[4]["net.0.weight"], seen[3]["net.0.weight"])
    assert result.losses[3] == result.losses[2]
    assert [one.index for one in result.left_out] == list(range(24, 32))


def test_rates_are_those_since_the_last_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 101.0, 103.0, 104.0, 104.0, 104.5, 108.0, 108.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    meter = Meter(peak_flops=1000.0)
    meter.start()
    with meter.waiting():
        pass
    meter.add(Amount(examples=4, tokens=30, positions=40, flops=400.0))
    expected = {
        "examples_per_second": 1,
        "data_wait": 0.5,
        "tokens_per_second": 7.5,
        "padding": 0.25,
        "mfu": 0.1,
    }
    assert meter.read() == expected
    with meter.waiting():
        pass
    meter.add(Amount(examples=8, tokens=80, positions=80, flops=0.0))
    assert meter.read() == {
        "examples_per_second": 2,
        "data_wait": 0.125,
        "tokens_per_second": 20,
        "padding": 0,
    }
    assert meter.overall() == {
        "examples_per_second": 1.5,
        "data_wait": 2.5 / 8,
        "tokens_per_second": 110 / 8,
        "padding": 1 - 110 / 120,
        "mfu": 0.05,
    }
