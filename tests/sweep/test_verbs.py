"""`python -m cambrian.sweep VERB`, as a person calls it: as a process, on a store of real stages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cambrian.runtime import PROJECT
from cambrian.sweep.__main__ import main
from cambrian.sweep.lease import Lease
from cambrian.sweep.progress import ProgressFile, progress_path
from cambrian.sweep.rendering import size
from cambrian.sweep.store import Store

FAKES = Path(__file__).parent / "fakes"
PATIENCE = 400
"""Seconds; Ray takes minutes to start on a busy machine."""


def call(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        env={
            **os.environ,
            "CAMBRIAN_STORE": str(folder / "store"),
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(FAKES)]),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def verb(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return call("-m", "cambrian.sweep", *words, folder=folder)


def sweep(folder: Path, **acts: str) -> dict[str, Any]:
    named = json.dumps({name.replace("_", "-"): act for name, act in acts.items()})
    done = call(
        FAKES / "drive.py", folder / "store", folder / "log", "inline", named, "0", "2", folder=folder
    )
    return json.loads(done.stdout.splitlines()[-1])


def status(folder: Path) -> dict[str, Any]:
    done = verb("status", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def begun(folder: Path) -> list[str]:
    return [line.split()[0] for line in (folder / "log").read_text().splitlines() if " begin " in line]


def test_a_sweep_with_failures_from_status_over_retry_to_gc(tmp_path: Path) -> None:
    (tmp_path / "log.gate").touch()
    outcome = sweep(tmp_path, tune_b="fail while gated", evaluate_a1="mend")
    assert set(outcome["failed"]) == {"tune-b", "evaluate-a1"}

    found = status(tmp_path)
    assert {kind: count["finished"] for kind, count in found["stages"].items()} == {
        "encoder": 1,
        "language": 1,
        "align": 2,
        "tune": 1,
        "evaluate": 1,
    }
    assert all(count["bytes"] > 500 for count in found["stages"].values())
    assert {(record["stage"]["label"], record["failure_class"]) for record in found["failed"]} == {
        ("tune-b", "bug"),
        ("evaluate-a1", "config"),
    }
    assert (found["sweeps"], found["making"], found["leftovers"]) == ([], [], [])
    assert {work["label"] for work in found["unfinished"]} == {"tune-b", "evaluate-a1"}
    text = verb("status", folder=tmp_path).stdout
    (failure,) = [line for line in text.splitlines() if "tune-b" in line and line.startswith("failed")]
    assert failure.split()[1:6] == ["bug", "tune-b", "ValueError:", "the", "gate"]
    assert "ValueError: the gate is shut" in Path(failure.split("log: ")[1]).read_text()

    (tmp_path / "log").unlink()
    again = verb("retry", folder=tmp_path)
    assert again.returncode == 1, again.stderr
    assert sorted(begun(tmp_path)) == ["evaluate-a1", "tune-b"]
    (tmp_path / "log.gate").unlink()
    (tmp_path / "log").unlink()
    named = next(record["digest"] for record in found["failed"] if record["stage"]["label"] == "tune-b")
    again = verb("retry", named[:10], folder=tmp_path)
    assert (again.returncode, begun(tmp_path)) == (0, ["tune-b"])
    assert again.stdout.splitlines()[-1] == "made: tune-b"
    assert [record["stage"]["label"] for record in status(tmp_path)["failed"]] == ["evaluate-a1"]
    wrong = verb("retry", named[:10], folder=tmp_path)
    assert wrong.returncode == 2
    assert f"none of the 1 failed stages starts with '{named[:10]}'" in wrong.stderr

    dry = verb("gc", folder=tmp_path)
    assert "nothing was touched" in dry.stdout
    assert "align-b" in dry.stdout
    assert "tune-a" not in dry.stdout
    assert status(tmp_path)["stages"]["align"]["finished"] == 2
    assert "removed 2 of 2" in verb("gc", "--yes", folder=tmp_path).stdout
    assert verb("gc", "--yes", folder=tmp_path).stdout == "nothing to remove\n"
    left = status(tmp_path)["stages"]
    assert {kind: left[kind]["finished"] for kind in ("align", "tune", "evaluate")} == dict.fromkeys(
        ("align", "tune", "evaluate"), 1
    )
    (tmp_path / "log").unlink()
    sweep(tmp_path, tune_b="fail while gated", evaluate_a1="mend")
    assert sorted(begun(tmp_path)) == ["align-b", "evaluate-a1", "evaluate-b1", "evaluate-b2", "tune-b"]


def test_what_waits_for_a_failed_stage_or_for_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "log.gate").touch()
    sweep(tmp_path, evaluate_a1="fail while gated", tune_b="fail")
    store = Store(tmp_path / "store")
    for entry in (store.root / "tune").iterdir():
        store.discard(entry)
    again = verb("retry", folder=tmp_path)
    assert again.returncode == 1
    assert "not made: evaluate-a1: its input 'model' is not in the store" in again.stdout
    assert "failed: bug  tune-b  ValueError: no good  log: " in again.stdout


@pytest.mark.slow
def test_retry_on_several_workers(tmp_path: Path) -> None:
    (tmp_path / "log.gate").touch()
    sweep(tmp_path, align_a="fail while gated", align_b="fail while gated")
    (tmp_path / "log.gate").unlink()
    again = verb("retry", "--workers", "2", folder=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert sorted(again.stdout.splitlines()[-2:]) == ["made: align-a", "made: align-b"]
    assert status(tmp_path)["failed"] == []


def test_status_tells_who_is_at_work_and_who_is_gone(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, dead = "ab" * 32, "cd" * 32
    words = ["status", "--store", str(store.root)]
    with store.session("fig6", [mine]), store.lease(mine, "tune a"):
        report = ProgressFile(progress_path(store, mine), mine)
        report._next = 0.0
        report(30, 120)
        with Lease(store.locks, dead, "tune b", ttl=60, heartbeat=5):
            text = (store.locks / f"{dead}.lease").read_text()
        (store.locks / f"{dead}.lease").write_text(text.replace('"started": "', '"started": "0'))
        assert main([*words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        main(words)
        printed = capsys.readouterr().out
    assert [(one["label"], one["alive"]) for one in found["sweeps"]] == [("fig6", True)]
    assert [(one["label"], one["alive"], one["done"], one["total"]) for one in found["making"]] == [
        ("tune a", True, 30, 120),
        ("tune b", False, None, None),
    ]
    assert all(one["pid"] == os.getpid() and one["silent_seconds"] < 60 for one in found["making"])
    assert f"making:     tune a  30/120 steps  pid {os.getpid()} on " in printed
    assert [line.split()[1:3] for line in printed.splitlines() if "STALE" in line] == [["tune", "b"]]


def test_status_reads_only(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with store.lease("ab" * 32, "tune a"):
        before = sorted((str(path), path.stat().st_mtime_ns) for path in store.root.rglob("*"))
        main(["status", "--store", str(store.root)])
        assert sorted((str(path), path.stat().st_mtime_ns) for path in store.root.rglob("*")) == before
    assert "making:     tune a" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["status"], ["retry"], ["gc", "--yes"]], ids=lambda words: words[0])
def test_without_a_store_nothing_is_created(tmp_path: Path, words: list[str]) -> None:
    done = verb(*words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{tmp_path / 'store'} is no store; name one with --store PLACE or CAMBRIAN_STORE\n"
    assert list(tmp_path.iterdir()) == []


def test_the_tool_imports_nothing_heavy() -> None:
    code = "import sys; import cambrian.sweep.__main__; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = ("torch", "ray", "transformers", "timm", "numpy", "pandas", "wandb")
    assert [name for name in heavy if f"'{name}'" in done.stdout] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["why", "a", "b", "c"], "one or two digests, got 3"),
        (["retry", "--workers", "0"], "at least 1, got 0"),
        (["mend"], "invalid choice: 'mend'"),
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (7, "7 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (46_000_000, "46 MB"),
        (3_140_000_000, "3.1 GB"),
        (2e13, "20.0 TB"),
    ],
)
def test_sizes_are_written_as_people_say_them(count: float, text: str) -> None:
    assert size(count) == text
