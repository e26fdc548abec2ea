"""Failures: their classes, what each class is worth, and what a sweep says about them at its end."""

from __future__ import annotations

import errno
import io
import json
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from rich.console import Console

from cambrian.errors import ConfigError, DataError, PartnerLost, UserError
from cambrian.memory import kernel_kills
from cambrian.runtime import Runtime
from cambrian.stages.job import WorkerDied
from cambrian.sweep import inline, scores
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.execute import Outcome, execute
from cambrian.sweep.failures import WAITS, Failure, FailureClass, classify
from cambrian.sweep.files import is_full_disk
from cambrian.sweep.inline import run_task
from cambrian.sweep.owner import LeaseLostError
from cambrian.sweep.plan import Plan
from cambrian.sweep.produce import NonFiniteMetricsError
from cambrian.sweep.records import read_records
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.stage_log import log_path
from cambrian.sweep.store import Store
from cambrian.training import NonFiniteLoss

Usage = namedtuple("Usage", "total used free")


class _Named(Exception):  # noqa: N818
    """Stands for an exception of a library that is not imported here."""


def named(name: str) -> Exception:
    module, _, own = name.rpartition(".")
    return type(own, (_Named,), {"__module__": module, "__qualname__": own})("x")


def killed_child() -> Exception:
    error = named("torch.multiprocessing.spawn.ProcessExitedException")
    error.signal_name = "SIGKILL"  # type: ignore[attr-defined]
    return error


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


CLASSES: list[tuple[BaseException, FailureClass]] = [
    (UserError("x"), FailureClass.CONFIG),
    (ConfigError(["x"]), FailureClass.CONFIG),
    (DataError("file.jsonl, line 3"), FailureClass.DATA),
    (json.JSONDecodeError("x", "", 0), FailureClass.DATA),
    (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), FailureClass.DATA),
    (EOFError(), FailureClass.DATA),
    (FileNotFoundError(errno.ENOENT, "x"), FailureClass.DATA),
    (OSError(errno.EACCES, "x"), FailureClass.DATA),
    (named("PIL.UnidentifiedImageError"), FailureClass.DATA),
    (named("safetensors._safetensors_rust.SafetensorError"), FailureClass.DATA),
    (NonFiniteLoss("loss is nan", 3, ["a"]), FailureClass.NUMERIC),
    (NonFiniteMetricsError("x"), FailureClass.NUMERIC),
    (FloatingPointError("x"), FailureClass.NUMERIC),
    (OverflowError("x"), FailureClass.NUMERIC),
    (MemoryError(), FailureClass.OUT_OF_MEMORY),
    (torch.OutOfMemoryError("x"), FailureClass.OUT_OF_MEMORY),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), FailureClass.OUT_OF_MEMORY),
    (RuntimeError("CUDA error: out of memory"), FailureClass.OUT_OF_MEMORY),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), FailureClass.OUT_OF_MEMORY),
    (named("ray.exceptions.OutOfMemoryError"), FailureClass.OUT_OF_MEMORY),
    (named("cambrian.memory.OutOfMemory"), FailureClass.OUT_OF_MEMORY),
    (WorkerDied("killed by SIGKILL, for its machine ran out of memory"), FailureClass.OUT_OF_MEMORY),
    (subprocess.CalledProcessError(-9, "x"), FailureClass.OUT_OF_MEMORY),
    (killed_child(), FailureClass.OUT_OF_MEMORY),
    (OSError(errno.ENOSPC, "x"), FailureClass.INFRASTRUCTURE),
    (OSError(errno.EIO, "x"), FailureClass.INFRASTRUCTURE),
    (OSError(errno.ESTALE, "x"), FailureClass.INFRASTRUCTURE),
    (ConnectionResetError("x"), FailureClass.INFRASTRUCTURE),
    (TimeoutError("x"), FailureClass.INFRASTRUCTURE),
    (LeaseLostError("x"), FailureClass.INFRASTRUCTURE),
    (MissingArtifactError("x"), FailureClass.INFRASTRUCTURE),
    (torch.distributed.DistNetworkError("x"), FailureClass.INFRASTRUCTURE),
    (named("httpx.TransportError"), FailureClass.INFRASTRUCTURE),
    (WorkerDied("worker 1 of 2 ended without a word: killed by SIGKILL"), FailureClass.INFRASTRUCTURE),
    (PartnerLost("Connection closed by peer"), FailureClass.INFRASTRUCTURE),
    (raised_from(ValueError("x"), ConnectionResetError("y")), FailureClass.INFRASTRUCTURE),
    (raised_from(UserError("x"), ConnectionResetError("y")), FailureClass.CONFIG),
    (raised_from(ValueError("x"), KeyError("y")), FailureClass.BUG),
    (
        RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 576"),
        FailureClass.INFRASTRUCTURE,
    ),
    (ValueError("x"), FailureClass.BUG),
    (KeyError("x"), FailureClass.BUG),
    (RuntimeError("shapes differ"), FailureClass.BUG),
    (subprocess.CalledProcessError(1, "x"), FailureClass.BUG),
    (AssertionError(), FailureClass.BUG),
]


@pytest.mark.parametrize(
    ("error", "expected"),
    CLASSES,
    ids=[f"{type(e).__name__}-{c.name}-{i}" for i, (e, c) in enumerate(CLASSES)],
)
def test_classes(error: BaseException, expected: FailureClass) -> None:
    assert classify(error) is expected


def test_a_full_disk_is_known_in_the_words_of_each_library() -> None:
    assert is_full_disk(OSError(errno.EDQUOT, "x"))
    assert is_full_disk(_Named("Error while serializing: I/O error: ... (os error 28)"))
    assert is_full_disk(OSError("4000 requested and 127 written"))
    assert not is_full_disk(
        RuntimeError(
            "[enforce fail at inline_container.cc:145] . PytorchStreamReader failed reading zip archive"
        )
    )
    assert not is_full_disk(OSError(errno.EIO, "x"))


def test_only_infrastructure_is_worth_another_attempt_and_the_waits_grow() -> None:
    assert set(WAITS) == set(FailureClass)
    assert [c for c, waits in WAITS.items() if waits] == [FailureClass.INFRASTRUCTURE]
    waits = WAITS[FailureClass.INFRASTRUCTURE]
    assert list(waits) == sorted(waits)
    errors = [Failure.of(OSError(errno.EIO, "x"), attempt) for attempt in (1, 2, 3)]
    assert [failure.wait for failure in errors] == [*waits, None]


def test_a_failure_is_told_in_one_line_with_its_notes() -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    error.add_note("this stage needs more than 12 bytes\nby far")
    error.add_note("/store has 0 bytes free")
    assert Failure.of(error).reason == (
        "OSError: [Errno 28] No space left on device; this stage needs more than 12 bytes; "
        "/store has 0 bytes free"
    )
    assert Failure.of(AssertionError()).reason == "AssertionError"
    assert Failure.of(KeyError("x" * 500)).reason == f"KeyError: '{'x' * 199}..."
    assert Failure.of(UserError("set this\nto that")).trace == "set this\nto that"


def test_the_kernels_count_of_kills_can_be_read() -> None:
    assert kernel_kills() >= 0


# What run_task makes of them.


pytestmark = pytest.mark.usefixtures("fake_kinds")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits that were asked for; none is waited."""
    waited: list[float] = []
    monkeypatch.setattr(inline, "sleep", waited.append)
    return waited


def study(store: Store, tmp_path: Path, **acts: str) -> Plan:
    import drive

    return drive.study(store, tmp_path / "log", {k.replace("_", "-"): v for k, v in acts.items()}, 0.0)


def execute_inline(plan: Plan, store: Store) -> Outcome:
    return execute(plan, store, Runtime(store=store.root, cluster="inline"))


def begun(tmp_path: Path, name: str) -> int:
    return (tmp_path / "log").read_text().count(f"{name} begin")


@pytest.mark.parametrize(
    ("act", "attempts", "failed"),
    [
        ("stale 1", 2, False),
        ("stale 2", 3, False),
        ("stale 3", 3, True),
        ("fail", 1, True),
        ("mend", 1, True),
    ],
)
def test_attempts_are_counted(
    store: Store, tmp_path: Path, waits: list[float], act: str, attempts: int, failed: bool
) -> None:
    plan = study(store, tmp_path, encoder=act)
    (stage,) = [stage for stage in plan.stages.values() if stage.label == "encoder"]
    found = run_task([stage], store, Runtime(store=store.root))
    assert begun(tmp_path, "encoder") == attempts
    assert waits == list(WAITS[FailureClass.INFRASTRUCTURE])[: attempts - 1]
    assert bool(found) is failed
    assert len(list(read_records(store))) == failed
    if failed:
        assert found[stage.digest].attempts == attempts
        assert next(read_records(store)).attempts == attempts


@pytest.mark.parametrize(("freed", "attempts"), [(0, 1), (1, 3)])
def test_a_full_disk_is_tried_again_only_if_room_was_made(
    store: Store,
    tmp_path: Path,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    freed: int,
    attempts: int,
) -> None:
    free = [1000]

    def usage(path: Path) -> Usage:
        free[0] += freed
        return Usage(2000, 0, free[0])

    monkeypatch.setattr("shutil.disk_usage", usage)
    plan = study(store, tmp_path, encoder="full")
    (stage,) = [stage for stage in plan.stages.values() if stage.label == "encoder"]
    failure = run_task([stage], store, Runtime(store=store.root))[stage.digest]
    assert begun(tmp_path, "encoder") == attempts
    assert len(waits) == min(attempts, 2)
    assert failure.failure_class is FailureClass.INFRASTRUCTURE
    assert f"this stage needs more than 1,234 bytes; {store.root} has 1,00" in failure.reason


def test_the_closing_lines_name_every_failure_and_every_run_without_result(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = study(store, tmp_path, tune_b="fail", evaluate_a1="mend")
    outcome = execute_inline(plan, store)
    console = Console(file=io.StringIO(), width=scores.WIDTH)
    monkeypatch.setattr(scores, "Console", lambda **_: console)
    scores.print_scores(plan, store, outcome)
    digests = {stage.label: digest for digest, stage in plan.stages.items()}
    printed = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert printed[-5:] == [
        "no result: a: evaluate-a1: UserError: set this to that",
        "no result: b: tune-b: ValueError: no good",
        f"failed: bug     tune-b       ValueError: no good  log: {log_path(store, digests['tune-b'])}",
        "failed: config  evaluate-a1  UserError: set this to that  "
        f"log: {log_path(store, digests['evaluate-a1'])}",
        f"results: {store.root}",
    ]
    assert outcome.exit_code == 1


def test_a_worker_that_died_silently_is_infrastructure_or_memory(store: Store, tmp_path: Path) -> None:
    plan = study(store, tmp_path)
    schedule = Schedule(plan, store)
    task = schedule.next()
    assert task is not None
    lost = schedule.finish(task, {})
    assert [failure.failure_class for failure in lost.values()] == [FailureClass.INFRASTRUCTURE]
    assert Failure.of_dead_worker(for_memory=True).failure_class is FailureClass.OUT_OF_MEMORY
    assert {failure.attempts for failure in lost.values()} == {3}
