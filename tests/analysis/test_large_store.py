"""The made-up store that speed is measured on is one that the stage and the scorer would have written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.results import read_results
from analysis.units import read_units
from cambrian.benchmarks.rescore import rescore
from cambrian.benchmarks.units import UNITS_FILE, unit_differences
from cambrian.benchmarks.units import read_units as read_table
from cambrian.sweep.store import Store
from perf.large_store import designs, make_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    make_store(folder, runs=3, benchmarks=16, questions=80)
    return folder


def test_every_number_follows_from_the_answers(store: Path) -> None:
    places = sorted((store / "evaluate").iterdir())
    assert len(places) == 48
    for place in places[::3]:
        again = rescore(place)
        stored = json.loads((place / "manifest.json").read_text())["metrics"]
        for name in ("n", "images", "score", "low", "high", "blind", "chance", "unparsed"):
            assert stored[name] == pytest.approx(getattr(again, name))
        assert unit_differences(read_table(place / UNITS_FILE), again) == []


def test_the_analysis_reads_all_of_it(store: Path) -> None:
    results = read_results(store)
    assert (len(results.frame), results.problems) == (48, ())
    units = read_units(store, results.frame)
    assert units.problems == ()
    assert [each.sighted.shape[0] for each in units.credits] == [3] * 16
    # Runs answer the same questions, and find the same ones hard.
    alike = [np.corrcoef(each.sighted)[0, 1] for each in units.credits]
    assert 0.2 < np.mean(alike) < 0.8


def test_it_is_a_store_and_always_the_same(store: Path, tmp_path: Path) -> None:
    make_store(tmp_path, runs=1, benchmarks=2, questions=80)
    for path in tmp_path.rglob("units.arrow"):
        assert path.read_bytes() == (store / path.relative_to(tmp_path)).read_bytes()
    digest = designs(1)[0].digest
    assert Store(store).find("tune", digest) is not None


def test_the_whole_grid_has_138_designs() -> None:
    found = designs(138 + 23)
    assert len({one.digest for one in found}) == 161
    assert {one.seed for one in found[:138]} == {0}
    assert {one.seed for one in found[138:]} == {1}
