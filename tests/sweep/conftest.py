"""What tests of sweeps share: an empty store, and stages without any learning."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.stages.base import KINDS
from cambrian.sweep.store import Store

FAKES = Path(__file__).parent / "fakes"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def fake_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kinds of this process do what `fakes/fake_stages.py` says."""
    monkeypatch.syspath_prepend(str(FAKES))
    import fake_stages

    for name, kind in fake_stages.FAKES.items():
        monkeypatch.setitem(KINDS, name, kind)
