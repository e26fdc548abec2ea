"""Choosing under a budget: who is within it, who may be the best, what to run next."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from fake_store import LAB, answer, fill, forget_credits

from analysis.choose.__main__ import main, read_budget
from analysis.choose.costs import Cost, measured_cost, measured_rates, planned_cost
from analysis.choose.own_candidates import own_pool
from analysis.command import read_credits
from analysis.errors import AnalysisError
from analysis.findings.evidence import AVERAGE
from analysis.results import ROOT, read_results
from cambrian.config import read_study
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage

QUESTIONS = 300
WORK = 1000
"""Examples of a training stage."""
RATES = {"siglip": 0.70, "clip": 0.69, "dinov2": 0.5, "random": 0.9}


def model(
    store: Path, encoder: str, *, side: int = 4, hours: float = 1.0, rate: float = 0.0, **axes: Any
) -> None:
    """One run with its training manifests; every run has luck of its own with every question."""
    for place, (benchmark, category) in enumerate(LAB.items()):
        luck = np.random.default_rng([place, *encoder.encode(), axes.get("seed", 0)])
        sighted = (luck.uniform(size=QUESTIONS) < (rate or RATES[encoder])).astype(float)
        answer(store, (encoder,), benchmark, sighted, category=category, axes=axes)
    frame = read_results(store).frame
    found = frame[frame["encoder"] == encoder]
    for axis, choice in axes.items():
        found = found[found[axis] == choice]
    run = str(found["run"].iloc[0])
    stages = {
        "tune": {"inputs": {"align": run[::-1]}, "recipe": {"connector": {"kind": "concat", "side": side}}},
        "align": {"inputs": {}, "recipe": {}},
    }
    design = {"scale": "lab", "encoder": [encoder], "connector": "concat", "vision": "frozen", **axes}
    for (kind, stage), digest in zip(stages.items(), (run, run[::-1]), strict=True):
        provenance = {"seconds": 3600 * hours / 4, "workers": 2, "work": WORK}
        (store / kind / digest).mkdir(parents=True)
        record = {**stage, "kind": kind, "digest": digest, "axes": design, "provenance": provenance}
        text = json.dumps(record)
        (store / kind / digest / "manifest.json").write_text(text)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("choose")
    model(place, "siglip", hours=4)
    model(place, "clip", hours=1)
    model(place, "clip", hours=1, seed=1)
    model(place, "dinov2", side=2)
    model(place, "dinov2", side=2, seed=1)
    model(place, "random")
    return place


def chosen(store: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["--store", str(store), "--json", *words]) == 0
    (choice,) = json.loads(capsys.readouterr().out)["choices"]
    return choice


def test_the_best_its_rivals_and_what_to_run(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choice = chosen(store, capsys)
    found = {each["label"].split()[0]: each for each in choice["candidates"]}
    assert list(found)[-1] == "dinov2"
    assert set(found) == {"siglip", "clip", "dinov2"}  # a control is no candidate
    assert not found["siglip"]["is_distinguishable"] and not found["clip"]["is_distinguishable"]
    assert found["dinov2"]["is_distinguishable"] and found["dinov2"]["first"] < 0.01
    assert sum(each["first"] for each in found.values()) == pytest.approx(1)
    assert found["clip"]["seeds"] == 2
    assert found["clip"]["cost"] == {"visual_tokens": 16, "parameters": None, "gpu_hours": 1.0}
    assert found["siglip"]["cost"]["gpu_hours"] == 4.0
    assert {each["label"].split()[0] for each in choice["next_runs"]} == {"siglip", "clip"}
    seeds = {each["label"].split()[0]: each["command"].split()[-1] for each in choice["next_runs"]}
    assert seeds == {"siglip": "seed=1", "clip": "seed=2"}
    assert choice["notes"] == [
        "how training varies is known from 2 repeated runs alone, so that intervals are wide: a second seed "
        "of any design narrows them"
    ]


def test_a_budget_leaves_out_and_says_so(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choice = chosen(store, capsys, "--budget", "visual_tokens=8")
    assert [each["label"].split()[0] for each in choice["candidates"]] == ["dinov2"]
    assert choice["left_out"] == {"visual_tokens above 8": 2}
    assert chosen(store, capsys, "--budget", "gpu_hours=2")["left_out"] == {"gpu_hours above 2": 1}
    assert main(["--store", str(store), "--budget", "parameters=1e6"]) == 2
    assert "nothing is within the budget\nleft out: 3 with parameters unknown" in capsys.readouterr().out


def test_the_text(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(store), "--category", "ocr_chart", "--next", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("A result of the lab; OCR & Chart; no limit\nbest supported: ")
    assert "* cannot be told apart from 1 other (~)" in printed
    assert "  1. +" in printed and "  2. +" not in printed
    assert "seed=" in printed


def test_without_seeds_the_text_says_what_is_unknown(tmp_path: Path) -> None:
    model(tmp_path, "siglip")
    model(tmp_path, "clip")
    frame, credits = read_credits(str(tmp_path), [])
    pool = own_pool(frame, credits, tmp_path, AVERAGE, "a100-80gb")
    assert pool.notes[0].startswith("no design has several seeds")
    assert pool.seed_variance > 0


def test_equal_answers_stay_together_in_every_draw(tmp_path: Path) -> None:
    """Two models that answer alike have one score in every draw, so that the third is compared with both."""
    for encoder in ("siglip", "clip"):
        for benchmark, category in LAB.items():
            answer(tmp_path, (encoder,), benchmark, [1, 0, 1, 1, 0], category=category)
    frame, credits = read_credits(str(tmp_path), [])
    pool = own_pool(frame, credits, tmp_path, "general", "a100-80gb")
    assert np.ptp(pool.draws[:, 0] - pool.draws[:, 1]) == 0
    assert pool.draws.std() > 5


def test_a_design_without_credits_is_no_candidate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody knows how its score varies with those of others; stderr has the command that makes it again."""
    fill(tmp_path, ("clip",))
    forget_credits(tmp_path)
    model(tmp_path, "siglip")
    assert main(["--store", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "note: clip concat 1.2M frozen 737k is left out: it has no credits of single questions" in said.out
    assert (
        "    python run.py encoder=clip connector=concat adapter=1.2M vision=frozen instruct=737k\n"
        in said.err
    )
    assert main(["--store", str(tmp_path), "--only", "encoder=clip"]) == 2
    assert "no evaluation has the credits of its questions" in capsys.readouterr().err


def test_no_candidate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model(tmp_path, "random")
    answer(tmp_path, ("clip",), "depth", [1.0] * QUESTIONS)
    assert main(["--store", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "no model but controls has results with credits" in said
    assert "  - 1 models lack benchmarks" in said


def test_a_partial_model_is_no_candidate(tmp_path: Path) -> None:
    model(tmp_path, "siglip")
    answer(tmp_path, ("clip",), "depth", [1.0] * QUESTIONS)
    frame, credits = read_credits(str(tmp_path), [])
    pool = own_pool(frame, credits, tmp_path, AVERAGE, "a100-80gb")
    assert [each.label.split()[0] for each in pool.candidates] == ["siglip"]
    assert pool.notes[0].startswith("1 models lack benchmarks")


def test_nothing_to_choose_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path)]) == 2
    assert "make some:" in capsys.readouterr().err


def test_all_faults_of_a_budget_at_once() -> None:
    with pytest.raises(AnalysisError) as caught:
        read_budget(["visual_token=5", "gpu_hours=many", "parameters=-1", "parameters"])
    assert "did you mean 'visual_tokens'?" in str(caught.value)
    assert str(caught.value).count("takes a number above 0") == 3
    with pytest.raises(AnalysisError, match="limited twice"):
        read_budget(["parameters=1", "parameters=2"])
    assert read_budget(["parameters=8e9"]) == {"parameters": 8e9}


def test_what_cannot_be_planned_has_no_cost(tmp_path: Path) -> None:
    assert planned_cost("python run.py scale=paper encoder=nobodys", "a100-80gb") is None
    assert planned_cost("python run.py scale=lab encoder=siglip", "a100-80gb") == Cost(visual_tokens=16)
    assert measured_cost(tmp_path, "0" * 64).visual_tokens is None
    place = tmp_path / "tune" / ("1" * 64)
    place.mkdir(parents=True)
    record = {"inputs": {}, "recipe": {}, "provenance": {"seconds": 7200}}
    (place / "manifest.json").write_text(json.dumps(record))
    assert measured_cost(tmp_path, "1" * 64) == Cost(gpu_hours=2.0)


def test_the_labs_hours_are_those_of_like_stages(store: Path) -> None:
    """Of siglip, two processes took half an hour for each 1,000 examples of a stage: 3.6 hours for 1,000."""
    runs = sorted(set(read_results(store).frame["run"]))
    rates = measured_rates(store, runs)
    command = "python run.py scale=lab encoder=siglip connector=concat adapter=0.5M vision=frozen"
    (recipe,) = read_study(expand(shlex.split(command)[2:])).recipes
    lineage = Lineage()
    lineage.run(recipe)
    work = sum(stage.work for stage in lineage.stages.values() if stage.kind in ("tune", "align"))
    cost = planned_cost(command, "a100-80gb", rates)
    assert cost is not None and cost.gpu_hours == pytest.approx(2 * work / WORK)


def test_planning_brings_no_torch_and_bytes_repeat(store: Path, tmp_path: Path, capsys: Any) -> None:
    words = ["--store", str(store), "--only", "adapter=1.2M", "--category", "general"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    code = (
        "import sys; from analysis.choose.__main__ import main; main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules"
    )
    again = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout == printed


def test_json_follows_its_schema(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(store), "--json"]) == 0
    number = {"type": ["number", "null"]}
    candidate = {
        "type": "object",
        "required": [
            "label",
            "score",
            "low",
            "high",
            "seeds",
            "first",
            "behind",
            "cost",
            "command",
            "evidence",
        ],
        "properties": {
            "first": {"type": "number", "minimum": 0, "maximum": 1},
            "behind": {"required": ["value", "low", "high"]},
            "cost": {
                "additionalProperties": False,
                "properties": {"visual_tokens": number, "parameters": number, "gpu_hours": number},
            },
            "command": {"pattern": "^python run.py "},
            "evidence": {"items": {"pattern": "^[0-9a-f]{64}$"}},
        },
    }
    choice = {
        "required": ["source", "scale", "candidates", "left_out", "next_runs", "notes"],
        "properties": {
            "candidates": {"type": "array", "items": candidate},
            "next_runs": {"items": {"required": ["label", "worth", "gpu_hours", "command", "predicted"]}},
        },
    }
    schema = {"required": ["category", "budget", "choices"], "properties": {"choices": {"items": choice}}}
    jsonschema.validate(json.loads(capsys.readouterr().out), schema)
