"""Several processes on one batch: the same curve and weights, and an end for all when one ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import regression
import torch
from torch import Tensor

from cambrian.checkpoints import load_checkpoint
from cambrian.preemption import Preempted
from cambrian.runtime import Runtime, SilentTracker
from cambrian.stages.base import StageContext
from cambrian.stages.crew import LOOPBACK, worker_environment
from cambrian.stages.job import WorkerDied
from cambrian.stages.launch import run_stage
from cambrian.training import NonFiniteLoss


class Curve(SilentTracker):
    def __init__(self) -> None:
        self.losses: dict[int, float] = {}

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        self.losses[step] = metrics["loss"]


@dataclass
class Bench:
    """A directory in which the stage is run, and what it says on the way."""

    root: Path
    curve: Curve = field(default_factory=Curve)
    facts: dict[str, Any] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)

    def run(
        self, processes: int, stopping: Callable[[], bool] = lambda: False, **recipe: Any
    ) -> dict[str, Any]:
        payload = self.root / "payload"
        payload.mkdir(exist_ok=True)
        context = StageContext(
            payload=payload,
            workdir=self.root / "work",
            runtime=Runtime(store=self.root, processes=processes, checkpoint_seconds=1000.0),
            tracker=self.curve,
            progress=lambda done, total: self.steps.append(done),
            stopping=stopping,
            note=self.facts.update,
        )
        return run_stage(regression.KIND, recipe, {}, context)

    def weights(self) -> dict[str, Tensor]:
        return torch.load(self.root / "payload" / "weights.pt", weights_only=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "several")


@pytest.fixture
def alone(tmp_path: Path) -> Bench:
    """The same, trained by one process in peace."""
    bench = Bench(tmp_path / "alone")
    bench.root.mkdir()
    bench.run(1)
    return bench


@pytest.fixture(autouse=True)
def make_root(bench: Bench) -> None:
    bench.root.mkdir()


def assert_like(bench: Bench, alone: Bench, losses: list[float]) -> None:
    assert losses == pytest.approx(list(alone.curve.losses.values()), rel=1e-6)
    for name, value in bench.weights().items():
        torch.testing.assert_close(value, alone.weights()[name], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_results_do_not_depend_on_the_number_of_workers(bench: Bench, alone: Bench, processes: int) -> None:
    """Three have shares of 3, 3 and 2. A part of the net has gradients in one worker, or in none."""
    result = bench.run(processes)
    assert_like(bench, alone, result["losses"])
    assert bench.curve.losses == pytest.approx(alone.curve.losses, rel=1e-6)
    assert bench.steps == list(range(1, regression.STEPS + 1))
    assert bench.facts["workers"] == processes
    assert bench.facts["micro_batch"] == {2: 4, 3: 3}[processes]
    assert bench.facts["peak_memory_bytes"] > 5e7
    assert psutil.Process().children() == []


@pytest.mark.slow
def test_what_two_workers_left_one_finishes(bench: Bench, alone: Bench) -> None:
    with pytest.raises(Preempted, match=r"left at step \d+ of 12"):
        bench.run(2, stopping=lambda: len(bench.steps) >= 4, slow=0.3)
    state = load_checkpoint(bench.root / "work")
    assert state is not None
    assert state["step"] == bench.steps[-1]
    assert 4 <= state["step"] < regression.STEPS
    result = bench.run(1)
    assert result["resumed_step"] == state["step"]
    assert_like(bench, alone, result["losses"])


@pytest.mark.slow
def test_one_worker_without_memory_makes_all_take_smaller_bites(bench: Bench, alone: Bench) -> None:
    result = bench.run(2, capacity={"1": 1})
    assert_like(bench, alone, result["losses"])
    assert bench.facts["micro_batch"] == 1


def test_a_dying_worker_ends_the_stage_at_once(bench: Bench) -> None:
    with pytest.raises(WorkerDied, match=r"worker 1 of 2 .* without a word: killed by SIGKILL$"):
        bench.run(2, dies=[1, 3])
    assert psutil.Process().children() == []


@pytest.mark.slow
def test_an_error_leaves_its_worker_as_it_is(bench: Bench) -> None:
    with pytest.raises(NonFiniteLoss, match="loss is nan at step 2") as caught:
        bench.run(2, poison_step=2)
    assert caught.value.step == 2
    assert caught.value.ids[0] == "row-16"
    (note,) = caught.value.__notes__
    assert note.startswith("in worker ")
    assert "training.py" in note


def test_workers_of_one_machine_keep_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "eth7")
    variables = worker_environment(2, LOOPBACK)
    assert variables["NCCL_SOCKET_IFNAME"] == variables["GLOO_SOCKET_IFNAME"] != "eth7"
    assert variables["OMP_NUM_THREADS"] == "2"


def test_workers_of_several_machines_use_the_interface_of_their_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = {"lo": ["127.0.0.1"], "eth0": ["fe80::1", "10.0.0.5"], "ib0": ["10.1.0.5"]}
    found = {name: [SimpleNamespace(address=one) for one in ones] for name, ones in addresses.items()}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: found)
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "ib0")
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    variables = worker_environment(1, "10.0.0.5")
    assert variables["GLOO_SOCKET_IFNAME"] == "eth0"
    assert "NCCL_SOCKET_IFNAME" not in variables, "who runs the machines has said it"
    with pytest.raises(OSError, match=r"no network interface of this machine has the address 10\.0\.0\.6"):
        worker_environment(1, "10.0.0.6")
