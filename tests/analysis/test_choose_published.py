"""Choosing among the paper's models: their costs, their noise, the commands that train them."""

from __future__ import annotations

import json
import shlex

import pytest

from analysis.choose.__main__ import main
from analysis.choose.candidates import published_noise, published_pool
from analysis.choose.choice import make_choice
from analysis.choose.costs import planned_cost
from analysis.findings.catalog import backbones
from analysis.findings.evidence import AVERAGE
from cambrian.config import read_study
from cambrian.errors import UserError
from cambrian.sweep.grid import expand


def test_published_models_within_tokens_and_hours(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--published", "--category", "ocr_chart", "--json"]
    assert main([*words, "--budget", "visual_tokens=576", "--budget", "gpu_hours=200"]) == 0
    (choice,) = json.loads(capsys.readouterr().out)["choices"]
    best = choice["candidates"][0]
    # connector_scores.csv: SVA with four encoders has 55.5 at charts and text
    assert (best["label"].split()[:2], best["score"]) == (["siglip+clip+dinov2+convnext", "sva"], 55.5)
    assert best["evidence"] == ["connector_scores.csv:5"]
    assert all(each["cost"]["visual_tokens"] <= 576 for each in choice["candidates"])
    assert sum(choice["left_out"].values()) + len(choice["candidates"]) == 88


def test_published_noise_by_hand() -> None:
    """Gains of the average by 1.2M over 0.5M of nine encoders: median 1.74, median distance from it 1.02."""
    gains = [1.460, 0.420, 0.549, 2.579, 2.760, 3.504, 1.156, 10.712, 1.736]
    middle = sorted(gains)[4]
    spread = sorted(abs(gain - middle) for gain in gains)[4]
    assert published_noise(AVERAGE) == pytest.approx(1.4826 * spread / 2**0.5, abs=0.002)


def test_planned_tokens_are_the_catalogs() -> None:
    """And a frozen 7B model with CLIP is 7.06 B parameters: 0.30 of the encoder, 0.02 of the connector."""
    pool = published_pool(AVERAGE, {"adapter": "0M"}, "a100-80gb")
    assert len(pool.candidates) == 23
    for candidate in pool.candidates:
        assert candidate.cost.visual_tokens == backbones()[candidate.label.split()[0]].visual_tokens
    clip = next(each for each in pool.candidates if each.label.startswith("clip "))
    assert clip.cost.parameters == pytest.approx(7.06e9, rel=0.002)
    assert planned_cost(clip.command, "a100-80gb") == clip.cost
    faster = planned_cost(clip.command, "h100-80gb")
    assert faster is not None and faster.gpu_hours is not None and clip.cost.gpu_hours is not None
    assert faster.gpu_hours < clip.cost.gpu_hours
    with pytest.raises(UserError, match="a100"):
        planned_cost(clip.command, "a100")


def test_every_command_of_the_published_models_can_be_run() -> None:
    pool = published_pool(AVERAGE, {"adapter": "1.2M"}, "a100-80gb")
    best = make_choice(pool, {}).next_runs
    seeds = [run for run in best if run.predicted is None]
    untried = [run for run in best if run.predicted is not None]
    assert len(seeds) > 2 and len(untried) > 2
    for run in [*seeds[:3], *untried[:3]]:
        (recipe,) = read_study(expand(shlex.split(run.command)[2:])).recipes
        assert recipe.scale.name == "paper"
