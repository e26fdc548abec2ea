"""Caches of their own for tests of pretrained encoders, and a way to measure them at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cambrian import encoder_choice
from cambrian.encoders.measure import measure


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches of our own, of the hub and of torch."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    encoder_choice._measure.cache_clear()
    return tmp_path


@pytest.fixture
def in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure here, where torch is loaded already; two tests have a process of its own."""
    if "own_process" not in request.fixturenames:
        monkeypatch.setattr(
            encoder_choice, "ask", lambda module, asked: json.dumps(measure(json.loads(asked)))
        )


@pytest.fixture
def own_process() -> None:
    """Leave measuring as it is."""
