"""Findings on stores with planted effects, without any, with gaps, and with nothing."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from fake_store import LAB, answer, fill

from analysis.command import read_credits
from analysis.findings.__main__ import findings, main
from analysis.findings.hypotheses import FINDINGS, HYPOTHESES
from analysis.findings.inference import Verdict
from analysis.findings.sampling import question_variance
from analysis.findings.testing import Finding, own_family
from analysis.findings.text import sentence
from analysis.results import ROOT, read_results
from analysis.units import read_units
from cambrian.config import read_study
from cambrian.sweep.grid import expand_sweeps, sweep_names

SINGLES = ("siglip", "clip", "dinov2", "mae")
EASE = {"siglip": 0.5, "clip": 0.48, "dinov2": 0.44, "mae": 0.43, "sam": 0.4, "random": 0.3}
QUESTIONS = 400


def model(store: Path, encoder: tuple[str, ...], gain: float = 0.0, **axes: Any) -> None:
    """One run on the lab's benchmarks; all runs find the same questions hard."""
    for place, (benchmark, category) in enumerate(LAB.items()):
        hardness = np.random.default_rng(place).uniform(size=QUESTIONS)
        luck = np.random.default_rng([place, *"+".join(encoder).encode(), axes.get("seed", 0)])
        rate = np.mean([EASE[name] for name in encoder]) + gain
        sighted = (hardness + luck.normal(0, 0.02, size=QUESTIONS) < rate).astype(float)
        blind = (hardness < 0.3).astype(float)
        answer(store, encoder, benchmark, sighted, blind=blind, category=category, axes=axes)


def of(store: Path) -> dict[str, Finding]:
    return {finding.hypothesis.id: finding for finding in findings(str(store))}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unfreezing gives 10 points, the adapter nothing, and SVA takes 8."""
    store = tmp_path_factory.mktemp("planted")
    for number, name in enumerate(SINGLES):
        wobble = 0.01 * (-1) ** number
        model(store, (name,), adapter="0.5M")
        model(store, (name,), gain=wobble)
        model(store, (name,), gain=0.1 + wobble / 2, vision="unfrozen")
        model(store, (name,), gain=-0.08 + wobble / 2, connector="sva")
    model(store, ("random",), gain=0.2)
    return store


def test_what_is_planted_is_found(planted: Path) -> None:
    found = of(planted)
    unfreezing = found["4a"]
    assert unfreezing.verdict is Verdict.SUPPORTED
    assert unfreezing.effect is not None
    assert unfreezing.effect.value == pytest.approx(10, abs=1.5)
    assert (len(unfreezing.units), unfreezing.agreeing) == (4, 4)
    frame = read_results(planted).frame
    runs = frame[
        (frame["adapter"] == "1.2M") & (frame["connector"] == "concat") & (frame["encoder"] != "random")
    ]
    assert unfreezing.evidence == tuple(sorted(set(runs["run"])))
    assert found["3b"].verdict is Verdict.NOT_RESOLVED
    assert found["3b"].reason == "the interval holds 0"
    assert found["3a"].verdict is Verdict.NO_DATA


def test_the_lab_contradicting_the_paper_is_said_plainly(
    planted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connector = of(planted)["8a"]
    assert connector.verdict is Verdict.CONTRADICTED
    assert sentence(connector).startswith(
        "A result of the lab, against the paper: SVA is better than concatenation: contradicted, -7."
    )
    assert main(["--store", str(planted), "--both"]) == 0
    printed = capsys.readouterr().out
    assert "A result of the lab, against the paper" in printed
    assert "4a  supported     supported" in printed.replace("             ", "     ")
    assert "The paper's findings on its own published tables" in printed


def test_questions_widen_what_encoders_say(planted: Path) -> None:
    """The same results without the credits behind them: intervals know the encoders alone."""
    frame, credits = read_credits(str(planted), [])
    with_credits = {f.hypothesis.id: f for f in findings(str(planted))}["4a"].effect
    bare = planted.parent / "bare"
    shutil.copytree(planted, bare)
    for place in bare.glob("evaluate/*/units.arrow"):
        place.unlink()
    without = of(bare)["4a"].effect
    assert with_credits is not None and without is not None
    assert with_credits.value == pytest.approx(without.value)
    assert with_credits.low is not None and without.low is not None
    assert with_credits.low < without.low
    assert len(credits) == 8 and len(frame) == 8 * 17


def test_the_variance_of_questions_by_hand(tmp_path: Path) -> None:
    """Credits of two models on four questions of two pictures: clusters of 50 and 0 points less 25 and 50."""
    pictures = [0, 0, 1, 1]
    answer(tmp_path, ("siglip",), "depth", [1, 1, 0, 0], clusters=pictures)
    answer(tmp_path, ("mae",), "depth", [1, 0, 1, 1], clusters=pictures)
    frame = read_results(tmp_path).frame
    siglip, mae = (frame.loc[frame["encoder"] == name, "run"].iloc[0] for name in ("siglip", "mae"))
    variance = question_variance(read_units(tmp_path, frame).credits, {"vision_centric": ("depth",)})
    # differences 25 and -50: 2 / 1 * (37.5^2 + 37.5^2)
    assert variance({siglip: 1.0, mae: -1.0}, "vision_centric") == pytest.approx(2 * 2 * 37.5**2)
    assert variance({siglip: 1.0, mae: -1.0}, "average") == pytest.approx(2 * 2 * 37.5**2)
    assert variance({siglip: 1.0, "another": -1.0}, "vision_centric") is None
    halves = question_variance(
        read_units(tmp_path, frame).credits, {"vision_centric": ("depth", "depth"), "general": ()}
    )
    assert halves({siglip: 1.0}, "vision_centric") == pytest.approx(2 * (50**2 * 2 * 2 / 4) / 4)


def test_one_encoder_is_not_enough_whatever_its_questions_say(tmp_path: Path) -> None:
    model(tmp_path, ("siglip",))
    model(tmp_path, ("siglip",), gain=0.2, vision="unfrozen")
    unfreezing = of(tmp_path)["4a"]
    assert unfreezing.effect is not None and unfreezing.effect.low is not None
    assert unfreezing.effect.low > 0
    assert unfreezing.verdict is Verdict.NOT_RESOLVED
    assert unfreezing.reason == (
        "too few encoders: the interval knows how questions vary, not how encoders or seeds do"
    )


def test_no_effect_is_not_resolved_and_seeds_count_as_one_encoder(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        for name in SINGLES:
            model(tmp_path, (name,), seed=seed)
            model(tmp_path, (name,), seed=seed, vision="unfrozen")
    found = of(tmp_path)["4a"]
    assert (found.verdict, len(found.units), len(found.evidence)) == (Verdict.NOT_RESOLVED, 4, 24)


def test_what_is_missing_is_named_with_the_command_that_makes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in SINGLES:
        model(tmp_path, (name,))
        model(tmp_path, (name,), gain=0.1, vision="unfrozen")
    frame = read_results(tmp_path).frame
    lacking = frame.query("benchmark == 'letters' and vision == 'unfrozen' and encoder == 'mae'").iloc[0]
    shutil.rmtree(tmp_path / "evaluate" / str(lacking["digest"]))
    found = of(tmp_path)
    assert [unit.name for unit in found["4a"].units] == ["clip", "dinov2", "siglip"]
    assert [unit.name for unit in found["4c"].units] == ["dinov2", "mae"]  # vision-centric alone is complete
    assert main(["--store", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert f"that others have, so no average of theirs is used: {lacking['run'][:8]}" in printed
    assert "to fill it: python run.py -m encoder=clip,siglip,convnext,dinov2,mae adapter=0M,0.5M\n" in printed


def test_two_models_with_the_same_axes_are_left_out(tmp_path: Path) -> None:
    for name in SINGLES:
        fill(tmp_path, (name,))
        fill(tmp_path, (name,), 60.0, axes={"vision": "unfrozen"})
    fill(tmp_path, ("mae",), 70.0, axes={"vision": "unfrozen", "note": "another setting"})
    frame = read_results(tmp_path).frame
    family = own_family(frame, ())
    assert family.notes[0].startswith("2 models share their axes with another and are left out (mae)")
    assert len({f.hypothesis.id: f for f in family.findings}["4a"].units) == 3


def test_an_empty_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path)]) == 2
    assert "make some:" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--published", "--store", str(tmp_path)])


TEXTS = ("statement", "measure", "population", "unit", "reason", "sentence", "fill")
SCHEMA = {
    "type": "object",
    "required": ["families"],
    "properties": {
        "families": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["source", "scale", "tests", "notes", "findings"],
                "properties": {
                    "source": {"enum": ["published", "own"]},
                    "tests": {"type": "integer"},
                    "findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
                },
            },
        }
    },
    "$defs": {
        "finding": {
            "type": "object",
            "additionalProperties": False,
            "required": ["id", "verdict", "effect", "evidence"],
            "properties": {
                **{name: {"type": "string"} for name in TEXTS},
                "id": {"pattern": "^[1-8][a-f]$"},
                "finding": {"enum": list(FINDINGS)},
                "null": {"type": "number"},
                "verdict": {"enum": ["supported", "contradicted", "not resolved", "no data"]},
                "effect": {
                    "type": ["object", "null"],
                    "required": ["value", "low", "high", "p"],
                    "additionalProperties": {"type": ["number", "null"]},
                },
                "p_adjusted": {"type": ["number", "null"]},
                "units": {"type": "array", "items": {"required": ["name", "group", "value", "models"]}},
                "evidence": {"type": "array", "items": {"type": "string"}},
                "notes": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
}


def test_json_follows_its_schema_and_bytes_repeat(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--store", str(planted), "--both", "--json"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    command = [sys.executable, "-m", "analysis.findings", *words]
    again = subprocess.run(command, cwd=ROOT, env={"PYTHONHASHSEED": "7"}, capture_output=True, timeout=300)
    assert again.returncode == 0, again.stderr.decode()
    assert again.stdout.decode() == printed
    found = json.loads(printed)
    jsonschema.validate(found, SCHEMA)
    assert [family["source"] for family in found["families"]] == ["published", "own"]
    assert all(len(family["findings"]) == len(HYPOTHESES) for family in found["families"])


def test_markdown_has_a_row_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--published", "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n| {one.id} | {one.statement}" in printed for one in HYPOTHESES)
    assert "| +2.02 points, no interval |" in printed


@pytest.mark.parametrize(
    "command", sorted({one.command(scale) for one in HYPOTHESES for scale in ("lab", "mini", "paper")})
)
def test_the_commands_that_fill_gaps_can_be_run(command: str) -> None:
    assert command.startswith("python run.py -m ")
    arguments = shlex.split(command)[3:]
    assert read_study(expand_sweeps(sweep_names(arguments), arguments)).recipes


def test_every_sweep_is_there() -> None:
    for one in HYPOTHESES:
        assert all((ROOT / "sweeps" / f"{name}.yaml").is_file() for name in one.sweep.strip("[]").split(","))
