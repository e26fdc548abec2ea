"""Executing a plan on Ray: dying workers, killed drivers, signals. Real processes, so seconds each."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from driver import FAKES, STAGES, Driver

from cambrian.preemption import Preemption
from cambrian.runtime import Runtime
from cambrian.sweep.progress import Board
from cambrian.sweep.ray_cluster import scratch_directory
from cambrian.sweep.records import read_records
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.store import Store


def test_a_sweep_survives_a_dying_worker_and_a_failing_stage(tmp_path: Path) -> None:
    driver = Driver(tmp_path, align_a="die once", tune_b="fail", evaluate_a1="listen")
    code, outcome, printed = driver.outcome()
    assert code == 1, printed
    assert set(outcome["done"]) == STAGES - {"tune-b", "evaluate-b1", "evaluate-b2"}, printed
    assert outcome["failed"] == {"tune-b": "ValueError: no good"}
    assert set(outcome["not_run"]) == {"evaluate-b1", "evaluate-b2"}
    assert outcome["unfinished"] == {"b": "tune-b: ValueError: no good"}
    order = driver.ends()
    assert set(Counter(order).values()) == {1}
    begun = Counter(line.split()[0] for line in driver.log.read_text().splitlines() if "begin" in line)
    assert {name: count for name, count in begun.items() if count > 1} == {"align-a": 2}
    for run in ("a", "b"):
        assert order.index("encoder") < order.index(f"align-{run}") > order.index("language")
    assert order.index("align-a") < order.index("tune-a") < order.index("evaluate-a1")
    assert "retrying align-a: its worker died" in printed
    assert_records_and_logs(tmp_path / "store")
    assert 'raise ValueError("no good' in printed
    assert list(driver.home.rglob("*")) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "log", "store"]
    assert driver.scratch() == []


def assert_records_and_logs(root: Path) -> None:
    """Of `tune-b`, which failed, and of `align-a`, which two workers made."""
    (record,) = read_records(Store(root))
    assert (record.stage["label"], record.failure_class, record.attempts) == ("tune-b", "bug", 1)
    assert "ValueError: no good\nat all" in (root / record.log).read_text()
    (twice,) = [
        text for path in (root / "tracking").glob("*.log") if "(align-a)" in (text := path.read_text())
    ]
    pids = re.findall(r"^===.* pid (\d+):", twice, re.MULTILINE)
    assert len(set(pids)) == len(pids) == 2
    assert "align-a done in" in twice


@pytest.mark.slow
def test_a_killed_driver_takes_its_workers_along_and_can_be_repeated(tmp_path: Path) -> None:
    first = Driver(tmp_path, seconds=1.0)
    family = first.wait_for_ends(3)
    first.process.kill()
    first.process.wait()
    assert first.process.stdout is not None
    first.process.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=90)  # workers take seconds, Ray's own helpers longer
    assert alive == []
    ended = first.ends()
    code, outcome, printed = Driver(tmp_path, seconds=1.0).outcome()
    assert code == 0, printed
    assert set(outcome["done"]).isdisjoint(ended[:-2])  # the last ones may have ended without being published
    assert {name: n for name, n in Counter(first.ends()).items() if n > 1}.keys() <= set(ended[-2:])
    with scratch_directory():  # every session removes what killed ones left, once nobody writes to it
        assert first.scratch() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code", "reason"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 75, "preempted"),
        (signal.SIGUSR1, 75, "preempted"),
    ],
    ids=["ctrl-c", "terminate", "slurm"],
)
def test_a_signal_ends_the_sweep_in_order(
    tmp_path: Path, number: signal.Signals, exit_code: int, reason: str
) -> None:
    driver = Driver(tmp_path, seconds=1.0)
    family = driver.wait_for_ends(2)
    driver.process.send_signal(number)
    code, outcome, printed = driver.outcome()
    assert code == exit_code, printed
    assert set(outcome["not_run"].values()) == {reason}
    assert outcome["failed"] == {}
    assert "Traceback" not in printed
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert driver.scratch() == []


@pytest.mark.slow
def test_a_worker_that_always_dies_fails_its_stage_alone(tmp_path: Path) -> None:
    code, outcome, printed = Driver(tmp_path, tune_a="die").outcome()
    assert code == 1, printed
    assert outcome["failed"] == {"tune-a": "its worker died (killed, or out of memory?)"}
    (record,) = read_records(Store(tmp_path / "store"))
    assert (record.failure_class, record.attempts) == ("infrastructure", 3)
    assert (tmp_path / "store" / record.log).read_text().count("===") == 3
    assert set(outcome["done"]) == STAGES - {"tune-a", "evaluate-a1", "evaluate-a2"}


@pytest.mark.slow
def test_two_processes_of_a_stage_get_two_cpus_and_die_with_their_worker(tmp_path: Path) -> None:
    driver = Driver(tmp_path, seconds=3.0, runs=1, processes=2)
    team = [psutil.Process(pid) for pid in driver.wait_for_pids("tune-a", 2)]
    (worker,) = {process.ppid() for process in team}
    assert worker != driver.process.pid
    os.kill(worker, signal.SIGKILL)
    _, alive = psutil.wait_procs(team, timeout=20)
    assert alive == []
    code, outcome, printed = driver.outcome()
    assert code == 0, printed
    assert "retrying tune-a: its worker died" in printed
    assert len(set(driver.pids("tune-a"))) == 4
    assert len(driver.pids("align-a")) == 1
    assert len(outcome["done"]) == 6


@pytest.mark.parametrize(
    ("said", "kills", "expected"),
    [
        ("The actor died", 0, "infrastructure"),
        ("The actor died", 1, "out of memory"),
        ("killed due to the node running low on memory", 0, "out of memory"),
    ],
)
def test_the_death_of_a_worker_is_told_apart_by_the_kernel_and_by_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kills: int, expected: str
) -> None:
    monkeypatch.syspath_prepend(str(FAKES))
    import drive

    from cambrian.sweep import tuner

    counts = iter((7, 7 + kills))
    monkeypatch.setattr(tuner, "kernel_kills", lambda: next(counts))
    store, runtime = Store(tmp_path / "store"), Runtime(store=tmp_path / "store")
    plan = drive.study(store, tmp_path / "log", {})
    schedule = Schedule(plan, store)
    task = schedule.next()
    assert task is not None
    board = Board(plan, schedule, store, 1)
    trial = SimpleNamespace(config={"task": task.id}, get_pickled_error=lambda: None, get_error=lambda: said)
    tuner.DeathCallback(plan, schedule, board, store, runtime, Preemption()).on_trial_error(1, [], trial)
    (record,) = read_records(store)
    assert (record.digest, record.failure_class) == (task.id, expected)
    assert schedule.failed[task.id].failure_class == expected
