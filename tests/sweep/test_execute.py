"""Executing a plan in this process: order, failures, interruption, and nothing to run."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from cambrian.runtime import PROJECT, Runtime
from cambrian.sweep import execute as execution
from cambrian.sweep.execute import Outcome, execute
from cambrian.sweep.plan import Plan
from cambrian.sweep.progress import Board, ProgressFile, progress_path, read_step
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.store import Store

FAKES = Path(__file__).parent / "fakes"


pytestmark = pytest.mark.usefixtures("fake_kinds")


def _study(store: Store, tmp_path: Path, seconds: float = 0.0, **acts: str) -> Plan:
    import drive

    return drive.study(store, tmp_path / "log", {k.replace("_", "-"): v for k, v in acts.items()}, seconds)


def _execute(plan: Plan, store: Store) -> Outcome:
    return execute(plan, store, Runtime(store=store.root, cluster="inline"))


def _labels(plan: Plan, digests: object) -> set[str]:
    return {plan.stages[digest].label for digest in digests}  # type: ignore[attr-defined]


def _log(tmp_path: Path, word: str) -> list[str]:
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    return [name for name, what, _ in lines if what == word]


def test_each_stage_runs_once_after_its_inputs(store: Store, tmp_path: Path) -> None:
    plan = _study(store, tmp_path)
    outcome = _execute(plan, store)
    assert (outcome.exit_code, outcome.unfinished, outcome.failed) == (0, {}, {})
    order = _log(tmp_path, "end")
    assert sorted(order) == sorted(stage.label for stage in plan.stages.values())
    for stage in plan.stages.values():
        for digest in stage.inputs.values():
            assert order.index(plan.stages[digest].label) < order.index(stage.label)
    assert set(outcome.done) == set(plan.stages)


def test_a_failure_stops_only_its_dependents(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = _study(store, tmp_path, tune_b="fail")
    outcome = _execute(plan, store)
    assert outcome.exit_code == 1
    assert outcome.unfinished == {"b": "tune-b: ValueError: no good"}
    assert _labels(plan, outcome.failed) == {"tune-b"}
    assert _labels(plan, outcome.not_run) == {"evaluate-b1", "evaluate-b2"}
    assert set(outcome.not_run.values()) == {"needs tune-b, which failed"}
    assert _labels(plan, outcome.done) == {
        *("encoder", "language", "align-a", "align-b", "tune-a", "evaluate-a1", "evaluate-a2")
    }
    printed = capsys.readouterr().out
    assert 'raise ValueError("no good' in printed
    assert "7 stages done, 1 failed, 2 not run" in printed


def test_a_failed_stage_does_not_stop_the_others_of_its_task(store: Store, tmp_path: Path) -> None:
    plan = _study(store, tmp_path, evaluate_a1="fail")
    outcome = _execute(plan, store)
    assert _labels(plan, outcome.failed) == {"evaluate-a1"}
    assert outcome.not_run == {}
    assert "evaluate-a2" in _labels(plan, outcome.done)
    assert set(outcome.unfinished) == {"a"}


def test_a_fault_of_the_user_comes_without_a_traceback(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _execute(_study(store, tmp_path, align_a="mend"), store)
    printed = capsys.readouterr().out
    assert "set this to that" in printed
    assert "Traceback" not in printed


def test_only_what_failed_runs_again(store: Store, tmp_path: Path) -> None:
    _execute(_study(store, tmp_path, tune_b="fail"), store)
    (tmp_path / "log").unlink()
    outcome = _execute(_study(store, tmp_path), store)
    assert outcome.exit_code == 0
    assert sorted(_log(tmp_path, "begin")) == ["evaluate-b1", "evaluate-b2", "tune-b"]


def test_a_preempted_sweep_ends_in_order_and_can_be_resumed(store: Store, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM)]
    outcome = _execute(_study(store, tmp_path, align_b="be preempted"), store)
    assert (outcome.interrupted, outcome.preempted, outcome.exit_code) == (False, True, 75)
    assert set(outcome.not_run.values()) == {"preempted"}
    assert outcome.failed == {}
    ended = _log(tmp_path, "end")
    (tmp_path / "log").unlink()
    plan = _study(store, tmp_path, align_b="be preempted")
    plan_without = _study(store, tmp_path)
    assert _execute(plan_without, store).exit_code == 0
    again = set(_log(tmp_path, "begin"))
    assert again.isdisjoint(set(ended) - {"align-b"})
    assert set(plan.pending) > set()
    after = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM)]
    assert after == before


def test_nothing_to_run_imports_nothing_heavy(store: Store, tmp_path: Path) -> None:
    _execute(_study(store, tmp_path), store)
    began = (tmp_path / "log").read_text()
    code = (
        "import sys; sys.path.insert(0, {fakes!r}); import drive\n"
        "outcome = drive.main([{store!r}, {log!r}, 'laptop', '{{}}', '0', '2'])\n"
        "assert outcome.exit_code == 0 and not outcome.done\n"
        "assert not {{'ray', 'torch', 'wandb', 'transformers'}} & set(sys.modules), sys.modules.keys()\n"
    ).format(fakes=str(FAKES), store=str(store.root), log=str(tmp_path / "log"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(FAKES)])}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["done"] == []
    assert (tmp_path / "log").read_text() == began


def test_a_damaged_input_is_made_again(store: Store, tmp_path: Path) -> None:
    _execute(_study(store, tmp_path, tune_a="fail"), store)
    (tmp_path / "log").unlink()
    plan = _study(store, tmp_path)
    (align,) = [digest for digest, stage in plan.stages.items() if stage.label == "align-a"]
    (store.root / "align" / align / "result.txt").write_text("flipped")
    assert _execute(plan, store).exit_code == 0
    assert sorted(_log(tmp_path, "begin")) == ["align-a", "evaluate-a1", "evaluate-a2", "tune-a"]


def test_the_most_urgent_ready_task_comes_first(store: Store, tmp_path: Path) -> None:
    plan = _study(store, tmp_path)
    schedule = Schedule(plan, store)
    handed = []
    while (task := schedule.next()) is not None:
        handed.append(task)
    assert {plan.stages[task.id].kind for task in handed} == {"encoder", "language"}
    assert [task.path_seconds for task in handed] == sorted((t.path_seconds for t in handed), reverse=True)
    for task in handed:
        assert not schedule.is_over
        schedule.finish(task, {})
    assert schedule.is_over
    assert len(schedule.failed) == 2
    assert len(schedule.not_run) == 8


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("cambrian.sweep.progress.WRITE_SECONDS", 0.0)
    yield


@pytest.mark.usefixtures("no_sleep")
def test_the_table_shows_stage_steps_and_what_is_left(store: Store, tmp_path: Path) -> None:
    plan = _study(store, tmp_path)
    schedule = Schedule(plan, store)
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    board = Board(plan, schedule, store, 2, console)
    task = schedule.next()
    assert task is not None
    board.started(task)
    ProgressFile(progress_path(store, task.id), task.id)(30, 120)
    console.print(board.table())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0/10 stages" in text
    assert "30/120" in text
    assert plan.stages[task.id].label in text
    assert text.count("0/6") == 2


def test_a_full_disk_stops_the_reports_not_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cambrian.sweep.progress.WRITE_SECONDS", 0.0)
    report = ProgressFile(tmp_path / "there" / "x.progress", "d" * 64)
    report(1, 2)
    step = read_step(tmp_path / "there" / "x.progress")
    assert step is not None
    assert (step.done, step.total) == (1, 2)
    (tmp_path / "there" / "x.progress").unlink()
    (tmp_path / "there").rmdir()
    report(2, 2)
    report(2, 2)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("cluster", "workers", "threads", "count"),
    [
        ("inline", 4, 0, 1),
        ("laptop", 3, 0, 3),
        ("laptop", 0, 0, 8),
        ("laptop", 0, 4, 2),
        ("laptop", 0, 99, 1),
    ],
)
def test_worker_count(
    cluster: str, workers: int, threads: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution.os, "cpu_count", lambda: 8)
    runtime = Runtime(store=Path("x"), cluster=cluster, workers=workers, threads=threads)
    assert execution.worker_count(runtime) == count
