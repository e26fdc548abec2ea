"""Offline, the real client of W&B: what is in its files, and that nothing leaves the store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from drive_wandb import BROKEN, EVALUATION, LACKING, REASON, SCORES, STAGE, TRACE
from wandb_file import RunFile, read_runs

from cambrian.runtime import PROJECT

AGENT = {"WANDB_RUN_ID": "run0", "WANDB_SWEEP_ID": "s1", "WANDB_PROJECT": "other", "WANDB_MODE": "online"}
"""What a `wandb agent` sets; a stage must not care."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFile]:
    """All runs of one process that logs stages and a sweep, online but without a key, by id."""
    folder = tmp_path_factory.mktemp("offline")
    (folder / "home").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    driver = Path(__file__).with_name("drive_wandb.py")
    done = subprocess.run(
        [sys.executable, str(driver), str(folder / "store"), "online", "train", "break", "evaluate", "sweep"],
        env={**kept, **AGENT, "HOME": str(folder / "home"), "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "W&B online needs WANDB_API_KEY or a login in ~/.netrc; logging offline"
    assert lines[1:] == ["a word from step 8", "a word from step 2"]
    assert list((folder / "home").rglob("*")) == []
    return read_runs(folder / "store")


def test_a_stage_has_its_recipe_as_config_and_its_axes_as_tags(runs: dict[str, RunFile]) -> None:
    file = runs[STAGE.digest[:16]]
    run = file.run
    assert (run.project, run.run_group, run.job_type, run.display_name) == (
        "cambrian-sweeps",
        "fig6",
        "tune",
        STAGE.label,
    )
    assert sorted(run.tags) == ["connector=sva", "encoder=siglip+dinov2", "seed=0"]
    assert file.config["connector"] == {"kind": "sva", "side": 4}
    assert file.config["axes"] == {"encoder": ["siglip", "dinov2"], "connector": "sva", "seed": 0}
    assert file.config["stage"]["digest"] == STAGE.digest
    assert file.config["stage"]["inputs"] == STAGE.inputs


def test_a_stage_has_its_curves_and_its_throughput(runs: dict[str, RunFile]) -> None:
    file = runs[STAGE.digest[:16]]
    assert [(row["_step"], row["loss"]) for row in file.history] == [(n, 1 / n) for n in range(1, 9)]
    means = ("examples_per_second", "tokens_per_second", "padding", "data_wait", "mfu")
    assert file.rules == {
        **{name: ["mean"] for name in means},
        "gradient_norm": ["max"],
        "lr/*": ["none"],
    }
    assert file.summary["examples_per_second"] == {"mean": 45}
    assert file.summary["gradient_norm"] == {"max": 8}
    assert "lr/connector" not in file.summary
    assert (file.summary["loss"], file.summary["steps"]) == (0.3, 8), "not the last point of the curve"
    assert file.log == "WARNING:cambrian.training:a word from step 8\n"
    assert file.exit_code == 0


def test_a_failed_stage_has_its_log_and_its_traceback(runs: dict[str, RunFile]) -> None:
    file = runs[BROKEN.digest[:16]]
    assert file.log == f"WARNING:cambrian.training:a word from step 2\n{TRACE}\n"
    assert file.summary["failure"] == "ValueError: no good"
    assert file.exit_code == 1


def test_an_evaluation_has_its_scores_and_what_they_are_of(runs: dict[str, RunFile]) -> None:
    file = runs[EVALUATION.digest[:16]]
    assert file.run.job_type == "evaluate"
    expected = {"benchmark": "lab_count", "category": "vision_centric", **SCORES}
    assert {name: file.summary[name] for name in expected} == expected


def test_each_complete_point_is_one_run_with_axes_and_scores(runs: dict[str, RunFile]) -> None:
    points = {file.run.display_name: file for file in runs.values() if file.run.job_type == "run"}
    assert sorted(points) == [f"{encoder} concat 1.2M frozen 737k s1" for encoder in ("dinov2", "siglip")]
    file = points["siglip concat 1.2M frozen 737k s1"]
    axes = {"encoder": "siglip", "supervision": "language", "connector": "concat", "seed": 1, "scale": "lab"}
    assert {axis: file.config[axis] for axis in axes} == axes
    assert file.config["tune"]["optimization"]["lr"]["llm"] == 0.001
    assert set(file.config["stages"]) == {"align", "tune"}
    scores = {"average": 61, "general": 60, "knowledge": 64, "blind/average": 30, "chance/knowledge": 25}
    scores |= {"lab_facts/score": 64, "lab_facts/low": 59, "lab_facts/high": 70, "lab_facts/blind": 30}
    assert {name: file.summary[name] for name in scores} == scores
    assert len(file.history) == 1
    assert (file.run.run_group, file.exit_code) == ("fig6", 0)


def test_a_sweep_ends_with_one_table_of_its_runs(runs: dict[str, RunFile]) -> None:
    (file,) = (file for file in runs.values() if file.run.job_type == "sweep")
    assert (file.run.display_name, file.run.run_group) == ("fig6 summary", "fig6")
    assert file.config["axes"]["encoder"] == ["siglip", "dinov2", "pixels"]
    summary = {"runs": 3, "complete": 2, "best": "siglip concat 1.2M frozen 737k s1", "average": 61}
    assert {name: file.summary[name] for name in summary} == summary
    table = file.table("results")
    rows = {row[0]: dict(zip(table["columns"], row, strict=True)) for row in table["data"]}
    assert len(rows) == 3
    best, lost = rows["siglip concat 1.2M frozen 737k s1"], rows[f"{LACKING} concat 1.2M frozen 737k s1"]
    expected = {"encoder": "siglip", "seed": 1, "average": 61, "knowledge": 64, "blind/knowledge": 30}
    assert {name: best[name] for name in expected} == expected
    assert best["unfinished"] is None
    assert (lost["average"], lost["unfinished"]) == (None, REASON)


def test_a_sweep_ends_with_figure_6_and_its_points(runs: dict[str, RunFile]) -> None:
    (file,) = (file for file in runs.values() if file.run.job_type == "sweep")
    image = file.folder / "files" / file.summary["figure6/image/path"]
    assert image.read_bytes().startswith(b"\x89PNG")
    assert file.summary["figure6/image/caption"] == "Lab result: not comparable with the paper's numbers"
    points = file.table("figure6/points")
    rows = [dict(zip(points["columns"], row, strict=True)) for row in points["data"]]
    assert {(row["encoder"], row["category"]): row["score"] for row in rows} == {
        (encoder, category): score + 4.0 * (category == "knowledge")
        for encoder, score in (("siglip", 60.0), ("dinov2", 50.0))
        for category in ("general", "knowledge", "ocr_chart", "vision_centric")
    }
    assert all(row["low"] < row["score"] < row["high"] for row in rows)
    assert [name.split("-")[2] for name in file.artifacts] == ["results", "figure6points"]
