"""Records of failures: whole or absent, obsolete once the stage is there, enough to try again."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bare_stages import finish, stage

from cambrian.runtime import PROJECT, Runtime
from cambrian.stages.base import Stage
from cambrian.sweep import records
from cambrian.sweep.failures import Failure
from cambrian.sweep.garbage import collect
from cambrian.sweep.inline import run_task
from cambrian.sweep.records import read_records, record_path, write_record
from cambrian.sweep.store import Store

pytestmark = pytest.mark.usefixtures("fake_kinds")


def test_a_record_holds_all_that_another_try_needs(store: Store) -> None:
    tune = Stage(
        kind="tune", recipe={"lr": 1e-3, "n": [1, 2]}, inputs={"align": "ab" * 32}, label="tune a", work=3.0
    )
    finish(store, stage("evaluate", "a"))
    runtime = Runtime(store=store.root, device="cuda", trackers=("jsonl", "wandb"))
    write_record(store, tune, runtime, Failure.of(ValueError("no\ngood")))
    (record,) = read_records(store)
    assert (record.failure_class, record.message, record.attempts) == ("bug", "ValueError: no", 1)
    assert record.rebuild_stage() == tune
    assert (record.rebuild_stage().label, record.rebuild_stage().work) == ("tune a", 3.0)
    assert record.rebuild_runtime(store.root) == runtime
    assert record.log == f"tracking/{tune.digest}.log"


def test_a_record_of_a_finished_stage_is_obsolete(store: Store) -> None:
    align = stage("align", "a")
    write_record(store, align, Runtime(store=store.root), Failure.of(ValueError("x")))
    assert len(list(read_records(store))) == 1
    finish(store, align)  # by a process that was killed before it could clear the record
    assert list(read_records(store)) == []
    collect(store)
    assert not record_path(store, align.digest).exists()


def test_success_clears_the_record(store: Store, tmp_path: Path) -> None:
    (tmp_path / "log.gate").touch()
    recipe = {"name": "a", "log": str(tmp_path / "log"), "seconds": 0, "act": "fail while gated"}
    one = Stage(kind="encoder", recipe=recipe, inputs={}, label="a")
    assert set(run_task([one], store, Runtime(store=store.root))) == {one.digest}
    assert len(list(read_records(store))) == 1
    (tmp_path / "log.gate").unlink()
    assert run_task([one], store, Runtime(store=store.root)) == {}
    assert not record_path(store, one.digest).exists()


def test_a_full_disk_costs_the_record_a_warning(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(records, "write_durably", full)
    write_record(store, stage("tune", "a"), Runtime(store=store.root), Failure.of(ValueError("x")))
    assert "cannot note the failure of tune a" in caplog.text


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep import files
from cambrian.sweep.failures import Failure
from cambrian.sweep.records import write_record
from cambrian.sweep.store import Store
store = Store(Path(sys.argv[1]))
one = Stage(kind="tune", recipe={"name": "a"}, inputs={}, label="tune a")
write_record(store, one, Runtime(store=store.root), Failure.of(ValueError("first")))
files._sync_file = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_record(store, one, Runtime(store=store.root), Failure.of(ValueError("second")))
"""


def test_kill_9_while_a_record_is_written_leaves_the_one_before(store: Store) -> None:
    finish(store, stage("evaluate", "a"))
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(store.root)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(list((store.root / "failed").iterdir())) == 2, "it was stopped too early or too late"
    assert [record.message for record in read_records(store)] == ["ValueError: first"]


def test_a_record_that_is_none_is_passed_over(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    path = record_path(store, "ab" * 32)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert list(read_records(store)) == []
    assert str(path) in caplog.text
