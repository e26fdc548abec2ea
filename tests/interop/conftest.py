"""Files as lmms-eval writes them, about tiny copies of benchmarks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hub_fixtures import write_benchmark

from cambrian.benchmarks.hub.rows import HUB

Write = Callable[[str, Sequence[dict[str, Any]]], Path]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets with copies of four benchmarks."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("mme_p", "ai2d", "chartqa", "sqa_i"):
        write_benchmark(folder / "benchmarks" / name, name, HUB[name].data.split)
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the samples of a task."""

    def samples(task: str, rows: Sequence[dict[str, Any]]) -> Path:
        path = tmp_path / f"20261129_101112_samples_{task}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return path

    return samples
