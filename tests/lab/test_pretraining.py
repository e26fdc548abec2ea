"""Pre-training of encoders from a recipe, and the probe that says what it was good for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_objectives import PIXELS, SETTINGS, VIT

from cambrian.encoders.table import build_encoder, load_encoder
from cambrian.errors import UserError
from cambrian.lab.pretraining import train
from cambrian.lab.probe import main as probe_main
from cambrian.lab.probe import probe
from cambrian.lab.render import render_batch
from cambrian.lab.world import WORLD_VERSION, make_scene
from cambrian.training import Conditions


class CheckingTracker:
    def log(self, metrics: Any, *, step: int) -> None:
        assert all(np.isfinite(value) for value in metrics.values())

    def summarize(self, metrics: Any) -> None:
        raise AssertionError("the stage's caller summarises")

    def close(self) -> None:
        raise AssertionError("the tracker belongs to the caller")


def _recipe(kind: str, architecture: dict[str, Any] = VIT, steps: int = 24) -> dict[str, Any]:
    return {
        "name": kind,
        "architecture": architecture,
        "objective": SETTINGS[kind] if kind != "none" else {"kind": "none"},
        "optimization": {
            "steps": steps,
            "batch_size": 16,
            "lr": 2e-3,
            "warmup_fraction": 0.1,
            "weight_decay": 0.05,
            "betas": [0.9, 0.98],
            "clip": 1.0,
        },
        "world": {"version": WORLD_VERSION, "seed": 0},
        "seed": 0,
    }


def _train(recipe: dict[str, Any], folder: Path) -> dict[str, Any]:
    payload = folder / "payload"
    payload.mkdir(parents=True)
    return train(recipe, payload, Conditions(workdir=folder / "work", tracker=CheckingTracker()))


def test_training_writes_an_encoder_and_repeats_itself(tmp_path: Path):
    metrics = _train(_recipe("siglip"), tmp_path / "one")
    assert {"loss", "images", "retrieval", "exchange", "probe/colour"} <= metrics.keys()
    assert metrics["images"] == 24 * 16
    assert metrics == _train(_recipe("siglip"), tmp_path / "two")
    images = torch.from_numpy(render_batch([make_scene(0, "test", 0)], 64))
    first, second = (load_encoder(tmp_path / name / "payload") for name in ("one", "two"))
    assert torch.equal(first(images), second(images))


def test_controls_are_written_untrained(tmp_path: Path):
    metrics = _train(_recipe("none", PIXELS, steps=0), tmp_path)
    assert not (tmp_path / "work").exists()
    assert load_encoder(tmp_path / "payload").width == 192
    assert metrics.keys() == {"probe/colour", "probe/shape", "probe/depth", "probe/letter", "probe/value"}


def test_the_probe_reads_colour_from_pixels():
    accuracies = probe(build_encoder(PIXELS), train=500, test=200)
    assert accuracies["colour"] > 0.5  # chance is 1 / 8
    assert accuracies["shape"] < 0.6  # not to be had by a linear look at means
    assert all(0 <= value <= 1 for value in accuracies.values())


def test_the_probe_wants_directories(tmp_path: Path):
    with pytest.raises(UserError, match="at least one directory"):
        probe_main([])
    with pytest.raises(UserError, match="holds no encoder"):
        probe_main([str(tmp_path)])
