"""Sweeps on a Ray cluster of several nodes, all on this machine: what is shared, lost and left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from driver import FAKES, STAGES, Driver

from cambrian.sweep.store import Store

pytestmark = pytest.mark.slow

SLOW = 'train {"slow": 1.0}'
STEPS = 12
"""Of what `train` trains, a checkpoint each."""


class Cluster:
    """A cluster in a process of its own, as it would be without any sweep."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, FAKES / "simulate.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address: str = self._answer()

    def add(self, *cpus: int) -> None:
        for count in cpus:
            self.ask("add", count)

    def ask(self, *words: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def drive(self, folder: Path, **settings: Any) -> Driver:
        return Driver(folder, cluster="ray", environment={"RAY_ADDRESS": self.address}, **settings)

    def end(self) -> None:
        self._process.communicate(timeout=120)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, f"the cluster has ended with {self._process.wait(timeout=120)}"
        return json.loads(answer)


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.end()


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """A cluster whose head runs nothing, and which a sweep is to leave as it was."""
    yield running
    left = running.ask("left")
    running.ask("clear")
    assert left == {"actors": [], "groups": []}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Metrics of the regression, trained by one process in peace."""
    folder = tmp_path_factory.mktemp("undisturbed")
    code, _, printed = Driver(folder, cluster="inline", runs=1, tune_a="train").outcome()
    assert code == 0, printed
    return metrics(folder)


def metrics(folder: Path) -> dict[str, Any]:
    """Of the regression, which is made once."""
    (made,) = Store(folder / "store").artifacts("tune")
    return dict(made.metrics)


def provenance(folder: Path) -> dict[str, Any]:
    (made,) = Store(folder / "store").artifacts("tune")
    return made.manifest["provenance"]


def steps_done(folder: Path) -> int:
    """The newest checkpoint of a stage at work."""
    found = sorted((folder / "store" / "work").glob("*/step-*"))
    return int(found[-1].name.removeprefix("step-")) if found else 0


def assert_finished(driver: Driver, folder: Path, undisturbed: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Every stage has succeeded exactly once, and the regression has the losses it should have."""
    code, outcome, printed = driver.outcome()
    assert code == 0, printed
    assert len(outcome["done"]) == 6
    assert set(Counter(driver.ends()).values()) == {1}
    made = metrics(folder)
    assert made["losses"] == pytest.approx(undisturbed["losses"], rel=1e-6)
    return made, printed


def test_a_sweep_on_a_cluster_leaves_it_as_it_was(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add(1, 1)
    driver = cluster.drive(tmp_path)
    code, outcome, printed = driver.outcome()
    assert code == 0, printed
    assert set(outcome["done"]) == STAGES
    assert set(Counter(driver.begins()).values()) == {1}
    assert list(driver.home.rglob("*")) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "log", "store"]
    assert list((tmp_path / "store" / "cache" / "tune").iterdir()) == []


def test_one_stage_on_two_nodes_has_the_losses_of_one_process(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    cluster.add(1, 1)
    driver = cluster.drive(tmp_path, runs=1, processes=2, tune_a="train")
    made, _ = assert_finished(driver, tmp_path, undisturbed)
    assert made["resumed_step"] == 0
    assert provenance(tmp_path)["workers"] == 2
    assert Counter(driver.begins())["tune-a"] == 2


def test_what_ran_on_a_lost_node_goes_on_elsewhere(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    cluster.add(1, 1)
    driver = cluster.drive(tmp_path, runs=1, tune_a=SLOW)
    (pid,) = driver.wait_for_pids("tune-a", 1)
    driver.wait(lambda: steps_done(tmp_path) >= 3)
    cluster.ask("remove", pid)
    made, printed = assert_finished(driver, tmp_path, undisturbed)
    assert 3 <= made["resumed_step"] < STEPS
    assert made["losses"] == undisturbed["losses"], "to the bit, with one process before and after"
    assert "retrying tune-a: its worker died" in printed


@pytest.mark.parametrize("first", [True, False], ids=["with the first worker", "with another worker"])
def test_a_stage_of_which_a_node_is_lost_goes_on_with_another_node(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, Any], first: bool
) -> None:
    cluster.add(1, 1, 1)
    driver = cluster.drive(tmp_path, runs=1, processes=2, tune_a=SLOW)
    team = driver.wait_for_pids("tune-a", 2)
    driver.wait(lambda: steps_done(tmp_path) >= 3)
    before = [psutil.Process(pid) for pid in team]
    (chosen,) = [process for process in before if is_first(process) == first]
    cluster.ask("remove", chosen.pid)
    made, printed = assert_finished(driver, tmp_path, undisturbed)
    assert 3 <= made["resumed_step"] < STEPS
    assert "retrying tune-a: its worker died" in printed
    assert [process for process in before if process.is_running()] == []
    assert Counter(driver.begins())["tune-a"] == 4


def test_a_stage_of_which_a_worker_is_killed_is_tried_again(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    cluster.add(1, 1)
    driver = cluster.drive(tmp_path, runs=1, processes=2, tune_a=SLOW)
    before = [psutil.Process(pid) for pid in driver.wait_for_pids("tune-a", 2)]
    driver.wait(lambda: steps_done(tmp_path) >= 3)
    (chosen,) = [process for process in before if not is_first(process)]
    os.kill(chosen.pid, signal.SIGKILL)
    made, printed = assert_finished(driver, tmp_path, undisturbed)
    assert 3 <= made["resumed_step"] < STEPS
    assert "retrying" not in printed, "the places are still there, so it goes on in them"
    assert [process for process in before if process.is_running()] == []
    (log,) = [
        text
        for path in (tmp_path / "store" / "tracking").glob("*.log")
        if "(tune-a)" in (text := path.read_text())
    ]
    assert "worker 1 of 2 of this stage ended without a word: killed by SIGKILL" in log


def test_ctrl_c_ends_workers_on_all_nodes(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add(1, 1)
    driver = cluster.drive(tmp_path, runs=1, processes=2, tune_a=SLOW)
    team = [psutil.Process(pid) for pid in driver.wait_for_pids("tune-a", 2)]
    driver.process.send_signal(signal.SIGINT)
    code, _, printed = driver.outcome()
    assert code == 130, printed
    _, alive = psutil.wait_procs(team, timeout=60)
    assert alive == []


def test_what_the_cluster_cannot_give_is_refused_at_once(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add(2, 1)
    driver = cluster.drive(tmp_path, runs=1, processes=4)
    code, _, printed = driver.outcome()
    assert code == 1
    assert (
        "a stage 'tune' asks for 4 processes of 1 CPU, 0 GPUs each (runtime.processes=4, runtime.threads=1, "
        "runtime.device=cpu), but there is only: (0 CPUs, 0 GPUs) and (1 CPU, 0 GPUs) and (2 CPUs, 0 GPUs); "
        "3 CPUs, 0 GPUs in all. Nothing was run; ask for less"
    ) in printed
    assert not driver.log.exists()


def is_first(process: psutil.Process) -> bool:
    """Whether it is a child of Tune's worker, and not of an actor of another node."""
    parent = process.parent()
    assert parent is not None
    return "Outpost" not in " ".join(parent.cmdline())
