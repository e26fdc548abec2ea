"""Trackers: the JSONL record, how W&B's mode is decided, and that neither can stop a stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drive_wandb import STAGE

from cambrian.runtime import Runtime
from cambrian.tracking import wandb_client
from cambrian.tracking.jsonl import JsonlTracker
from cambrian.tracking.trackers import GuardedTracker, make_tracker


def _records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_jsonl_has_one_line_per_log_and_survives_a_resume(tmp_path: Path) -> None:
    runtime = Runtime(store=tmp_path)
    for step in (1, 2):
        tracker = make_tracker(STAGE, runtime)
        tracker.log({"loss": 0.5, "norm": float("nan")}, step=step)
        if step == 1:
            tracker.fail("ValueError: no", "Traceback\nValueError: no")
        else:
            tracker.summarize({"score": 61.5})
        tracker.close()
    records = _records(tmp_path / "tracking" / f"{STAGE.digest}.jsonl")
    assert [{k: v for k, v in r.items() if k != "time"} for r in records] == [
        {"step": 1, "loss": 0.5, "norm": None},
        {"failure": "ValueError: no", "trace": "Traceback\nValueError: no"},
        {"step": 2, "loss": 0.5, "norm": None},
        {"summary": {"score": 61.5}},
    ]


def test_a_half_line_of_a_full_disk_or_a_kill_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for begun in ('{"time": 1, "st', ""):
        tracker = JsonlTracker(path)
        tracker.log({"loss": 0.5}, step=1)
        tracker.close()
        with path.open("a") as file:
            file.write(begun)
    assert [record["step"] for record in _records(path)] == [1, 1]


def test_a_broken_tracker_is_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tracking").write_text("a file where the directory should be")
    tracker = make_tracker(STAGE, Runtime(store=tmp_path))
    tracker.log({"loss": 0.5}, step=1)
    tracker.fail("ValueError: no", "Traceback")
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
    tracker = GuardedTracker("tune", {"full": Full, "jsonl": lambda: JsonlTracker(path)})
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
    assert wandb_client.wandb_mode(Runtime(store=tmp_path, wandb_mode=asked)) == mode


def test_tags_are_axes_within_the_limit() -> None:
    tags = wandb_client.axis_tags({"encoder": ["siglip", "dinov2"], "seed": 0, "llm": "x" * 99})
    assert tags == ("encoder=siglip+dinov2", "seed=0", "llm=" + "x" * 60)


def test_an_agent_is_known_by_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    monkeypatch.setenv("WANDB_RUN_ID", "run0")
    assert wandb_client.find_agent() is None
    (tmp_path / "config.yaml").write_text("wandb_version: 1\nencoder:\n  value: siglip\nseed:\n  value: 3\n")
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "config.yaml"))
    assert wandb_client.find_agent() == wandb_client.Agent(
        run="run0", sweep="s1", project="mine", parameters={"encoder": "siglip", "seed": 3}
    )
