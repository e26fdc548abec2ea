"""Online, the real client of W&B against a stand-in for its server on the loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from drive_wandb import BROKEN, STAGE, TRACE
from finished import finish
from wandb_file import read_runs
from wandb_server import WandbServer

from cambrian.runtime import PROJECT

DRIVER = Path(__file__).with_name("drive_wandb.py")


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with WandbServer() as server:
        yield server


def variables(server: WandbServer, home: Path) -> dict[str, str]:
    """An environment in which the client knows the stand-in only, and a home that is watched."""
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    account = {"WANDB_API_KEY": "k" * 40, "WANDB_BASE_URL": server.url}
    return {**kept, **account, "HOME": str(home), "PYTHONPATH": str(PROJECT)}


def drive(server: WandbServer, folder: Path, *acts: str, mode: str = "online") -> list[str]:
    """Run the driver; returns what it said, without W&B's own word on the key it found."""
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder / "store"), mode, *acts],
        env=variables(server, folder / "home"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert list((folder / "home").rglob("*")) == []
    return [line for line in done.stderr.splitlines() if "Loaded credentials" not in line]


def test_a_stage_that_failed_continues_its_run(server: WandbServer, tmp_path: Path) -> None:
    assert drive(server, tmp_path, "fail early") == ["a word from step 5"]
    (run,) = server.runs.values()
    assert run.id == STAGE.digest[:16]
    assert run.summary["failure"] == "ValueError: no good"
    assert [line.split(" ", 1)[1] for line in run.log.splitlines()] == [
        "WARNING:cambrian.training:a word from step 5",
        *TRACE.splitlines(),
    ]
    assert drive(server, tmp_path, "resume") == ["a word from step 8"]
    assert list(server.runs) == [run.id]
    assert [(row["_step"], row["loss"]) for row in run.history] == [(n, 1 / n) for n in range(1, 9)]
    assert "failure" not in run.summary
    assert (run.summary["loss"], run.summary["steps"]) == (0.3, 8)
    assert run.log.endswith("a word from step 8")
    assert run.exits == [1, 0]
    assert (run.fields["groupName"], run.fields["jobType"]) == ("fig6", "tune")
    assert not server.unknown


def test_a_sweep_is_recorded_once_and_under_its_own_id(server: WandbServer, tmp_path: Path) -> None:
    assert drive(server, tmp_path, "sweep") == []
    kinds = sorted(run.fields["jobType"] for run in server.runs.values())
    assert kinds == ["run", "run", "sweep"]
    (summary,) = (run for run in server.runs.values() if run.fields["jobType"] == "sweep")
    table = json.loads(server.files[f"{summary.id}/{summary.summary['results']['path']}"])
    assert [row[0].split()[0] for row in table["data"]] == ["siglip", "dinov2", "pixels"]
    image = server.files[f"{summary.id}/{summary.summary['figure6/image']['path']}"]
    assert image.startswith(b"\x89PNG")
    assert len(server.committed) == 2, "both tables are artifacts, too"
    (tmp_path / "store" / "tracking" / "recorded" / summary.id).unlink()
    assert drive(server, tmp_path, "sweep") == []
    assert len(server.runs) == 3
    assert sorted(run.exits for run in server.runs.values()) == [[0], [0], [0, 0]]
    assert summary.exits == [0, 0]
    assert not server.unknown


def test_a_server_that_falls_silent_stops_no_stage(server: WandbServer, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), str(tmp_path / "store"), "online", "outlast"],
        env=variables(server, tmp_path / "home"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    server.silent.set()
    errors = process.communicate("\n", timeout=300)[1]
    assert process.returncode == 0, errors
    own = [line for line in errors.splitlines() if not line.startswith("wandb: ")]
    assert own == [
        f"{STAGE.label}: no wandb record from here on: TimeoutError: Timed out finishing run.",
        "a word from step 2",
    ]
    for stage, steps in ((STAGE, [1, 2]), (BROKEN, [1, 2])):
        lines = (tmp_path / "store" / "tracking" / f"{stage.digest}.jsonl").read_text().splitlines()
        assert [json.loads(line).get("step") for line in lines] == [*steps, None]
    assert list(read_runs(tmp_path / "store")) == [BROKEN.digest[:16]], "the next stage is offline at once"


def cli(server: WandbServer, folder: Path, *words: str, **more: str) -> str:
    """Call W&B's own command from the project's folder; returns what it said."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "wandb", *words],
        cwd=PROJECT,
        env={**variables(server, folder / "cli"), "PATH": path, "WANDB_DIR": str(folder), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_offline_runs_can_be_synced_later(server: WandbServer, tmp_path: Path) -> None:
    drive(server, tmp_path, "fail early", "sweep", mode="offline")
    drive(server, tmp_path, "resume", mode="offline")
    assert server.requests == []
    folders = sorted((tmp_path / "store" / "tracking" / "wandb").glob("offline-run-*"))
    cli(server, tmp_path, "sync", "--yes", *map(str, folders))
    assert len(server.runs) == 4
    run = server.runs[STAGE.digest[:16]]
    assert {row["_step"]: row["loss"] for row in run.history} == {n: 1 / n for n in range(1, 9)}
    assert run.summary["loss"] == 0.3
    assert "failure" not in run.summary
    assert len(server.committed) == 2


@pytest.mark.slow
def test_a_wandb_agent_gets_the_score_of_its_run(server: WandbServer, tmp_path: Path) -> None:
    """`wandb sweep` and `wandb agent` with a file of ours, on a point whose evaluations are all there."""
    finish(tmp_path / "store", ["encoder=siglip"])
    chosen = {"encoder": "siglip", "connector": "concat", "adapter": "1.2M", "vision": "frozen"}
    arguments = {name: {"value": value} for name, value in chosen.items()}
    server.points = [{"type": "run", "run_id": "point1", "program": "run.py", "args": arguments}]
    said = cli(server, tmp_path, "sweep", str(PROJECT / "sweeps" / "fig6.yaml"))
    assert "wandb agent tester/cambrian-sweeps/sweep1" in said
    place = str(tmp_path / "store")
    cli(server, tmp_path, "agent", "--count", "1", "tester/cambrian-sweeps/sweep1", CAMBRIAN_STORE=place)
    (run,) = server.runs.values()
    assert (run.id, run.fields["sweep"], run.fields["jobType"]) == ("point1", "sweep1", "run")
    assert run.summary["average"] == 61
    assert {name: run.config[name]["value"] for name in chosen} == chosen
    assert run.exits == [0]
    assert not (tmp_path / "store" / "tracking" / "recorded").exists()
