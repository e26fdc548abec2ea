"""What tests of the hub's benchmarks share: a tiny copy of each, and what a stage is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_fixtures import write_benchmark

from cambrian.benchmarks.hub.rows import HUB, UNSCORED
from cambrian.runtime import Runtime, SilentTracker
from cambrian.stages.base import StageContext


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets with a copy of every benchmark."""
    folder = tmp_path_factory.mktemp("data")
    for name, row in {**HUB, **UNSCORED}.items():
        write_benchmark(folder / "benchmarks" / name, name, row.data.split)
    return folder


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tables of all tests are kept."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def context(tmp_path: Path, data: Path, store: Path) -> StageContext:
    (tmp_path / "payload").mkdir()
    return StageContext(
        payload=tmp_path / "payload",
        workdir=tmp_path,
        runtime=Runtime(store=store, data=data),
        tracker=SilentTracker(),
        progress=lambda done, total: None,
    )
