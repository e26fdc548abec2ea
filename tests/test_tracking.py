"""Trackers: the JSONL record, the offline W&B run, and that neither can stop a stage."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cambrian import tracking
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage

STAGE = Stage(
    kind="tune",
    recipe={"steps": 40, "connector": {"kind": "sva", "side": 4}},
    inputs={"language": "ab" * 32},
    label="tune siglip+dinov2 sva 1.2M",
    axes={"encoder": ["siglip", "dinov2"], "connector": "sva", "seed": 0},
)


def _records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_jsonl_has_one_line_per_log_and_survives_a_resume(tmp_path: Path) -> None:
    runtime = Runtime(store=tmp_path)
    for step in (1, 2):
        tracker = tracking.make_tracker(STAGE, runtime)
        tracker.log({"loss": 0.5, "norm": float("nan")}, step=step)
        if step == 2:
            tracker.summarize({"score": 61.5})
        tracker.close()
    records = _records(tmp_path / "tracking" / f"{STAGE.digest}.jsonl")
    assert [{k: v for k, v in r.items() if k != "time"} for r in records] == [
        {"step": 1, "loss": 0.5, "norm": None},
        {"step": 2, "loss": 0.5, "norm": None},
        {"summary": {"score": 61.5}},
    ]


def test_a_broken_tracker_is_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tracking").write_text("a file where the directory should be")
    tracker = tracking.make_tracker(STAGE, Runtime(store=tmp_path))
    tracker.log({"loss": 0.5}, step=1)
    tracker.close()
    assert [record.message for record in caplog.records] == [
        f"{STAGE.label}: no jsonl record from here on: FileExistsError: "
        f"[Errno 17] File exists: '{tmp_path / 'tracking'}'"
    ]


def test_a_tracker_that_fails_later_leaves_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        def log(self, metrics: object, *, step: int) -> None:
            raise OSError("disk quota exceeded")

    path = tmp_path / "x.jsonl"
    tracker = tracking.GuardedTracker("tune", {"full": Full, "jsonl": lambda: tracking.JsonlTracker(path)})
    tracker.log({"loss": 1.0}, step=1)
    tracker.log({"loss": 2.0}, step=2)
    tracker.close()
    assert [record["loss"] for record in _records(path)] == [1.0, 2.0]
    assert [record.message for record in caplog.records] == [
        "tune: no full record from here on: OSError: disk quota exceeded"
    ]


@pytest.mark.parametrize(
    ("asked", "environment", "login", "mode"),
    [
        ("offline", {"WANDB_API_KEY": "k" * 40}, None, "offline"),
        ("online", {}, None, "offline"),
        ("online", {"WANDB_API_KEY": "k" * 40}, None, "online"),
        ("online", {}, "machine api.wandb.ai login user password k", "online"),
        ("online", {}, "machine example.org login user password k", "offline"),
        (
            "online",
            {"WANDB_BASE_URL": "https://example.org:99"},
            "machine example.org login u password k",
            "online",
        ),
    ],
)
def test_the_mode_is_decided_here(
    asked: str,
    environment: dict[str, str],
    login: str | None,
    mode: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    if login:
        (tmp_path / "netrc").write_text(login)
        (tmp_path / "netrc").chmod(0o600)
    assert tracking.wandb_mode(Runtime(store=tmp_path, wandb_mode=asked)) == mode


def test_tags_are_axes_within_the_limit() -> None:
    tags = tracking.wandb_tags({"encoder": ["siglip", "dinov2"], "seed": 0, "llm": "x" * 99})
    assert tags == ("encoder=siglip+dinov2", "seed=0", "llm=" + "x" * 60)


SCRIPT = """
import os, sys
from pathlib import Path
from cambrian import tracking
from cambrian.runtime import Runtime
sys.path.insert(0, {tests!r})
from test_tracking import STAGE
tracker = tracking.make_tracker(
    STAGE, Runtime(store=Path({store!r}), trackers=("jsonl", "wandb"), wandb_mode="online", group="fig6")
)
tracker.log({{"loss": 0.75}}, step=1)
tracker.log({{"loss": 0.25}}, step=2)
tracker.summarize({{"score": 61.5, "blind": 30.0}})
tracker.close()
assert os.environ["WANDB_RUN_ID"] == "run0"
"""


def test_offline_wandb_run_holds_what_the_stage_gave(tmp_path: Path) -> None:
    """Without an account, as if under `wandb agent`, with a home directory that must stay empty."""
    home = tmp_path / "home"
    home.mkdir()
    agent = {"WANDB_RUN_ID": "run0", "WANDB_SWEEP_ID": "s1", "WANDB_PROJECT": "other", "WANDB_MODE": "online"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    root = Path(tracking.__file__).parents[1]
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT.format(tests=str(Path(__file__).parent), store=str(tmp_path / "store")),
        ],
        env={**kept, **agent, "HOME": str(home), "PYTHONPATH": str(root)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert result.returncode == 0, result.stderr
    assert "logging offline" in result.stderr
    assert list(home.rglob("*")) == []
    (path,) = (tmp_path / "store" / "tracking" / "wandb").glob("offline-run-*/run-*.wandb")
    run, history, summary = _read_wandb(path)
    assert (run.run_id, run.project, run.run_group, run.job_type, run.display_name) == (
        STAGE.digest[:16],
        "cambrian-sweeps",
        "fig6",
        "tune",
        STAGE.label,
    )
    assert sorted(run.tags) == ["connector=sva", "encoder=siglip+dinov2", "seed=0"]
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["connector"] == {"kind": "sva", "side": 4}
    assert config["steps"] == 40
    assert config["stage"]["digest"] == STAGE.digest
    assert [(row["_step"], row["loss"]) for row in history] == [(1, 0.75), (2, 0.25)]
    assert {key: summary[key] for key in ("score", "blind")} == {"score": 61.5, "blind": 30.0}


def _read_wandb(path: Path) -> tuple:
    """The run record, the history rows and the merged summary of a W&B transaction log."""
    from wandb.proto import wandb_internal_pb2

    run, history, summary = None, [], {}
    for data in _leveldb_records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
        elif kind == "history":
            rows = record.history.item
            history.append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in rows})
        elif kind == "summary":
            rows = record.summary.update
            summary |= {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in rows}
    return run, history, summary


def _leveldb_records(data: bytes) -> Iterator[bytes]:
    """Undo the framing: blocks of 32 KiB, each chunk with checksum (4), length (2) and type (1)."""
    assert data[:4] == b":W&B"
    position, parts = 7, []
    while position + 7 <= len(data):
        room = 32768 - position % 32768
        if room < 7:
            position += room
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        parts.append(data[position + 7 : position + 7 + length])
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield b"".join(parts)
            parts = []
