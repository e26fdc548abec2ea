"""Figures of stores that hold what the paper does not: other evaluators, other data, nameless settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fake_store import LAB, fill, manifest, put

from analysis import plot_fig3, plot_fig5, plot_fig17


def draw(main: Callable[[list[str]], int], store: Path) -> int:
    return main(["--store", str(store), "--out", str(store / "out")])


def test_fig3_compares_the_same_models_with_and_without_the_image(tmp_path: Path) -> None:
    """Results of another evaluator that nobody asked without the image are in neither of the means."""
    fill(tmp_path, ("clip",), 60.0)
    for benchmark, category in LAB.items():
        one = manifest(("mae",), benchmark, category, metrics={"score": 90.0, "low": 84.0, "high": 95.0})
        del one["metrics"]["blind"]
        one["provenance"]["imported"] = "elsewhere"
        put(tmp_path, one)
    assert draw(plot_fig3.main, tmp_path) == 0
    existence = pd.read_csv(tmp_path / "out" / "fig3.csv").set_index("benchmark").loc["existence"]
    assert (existence["score"], existence["blind"], existence["difference"]) == (60.0, 28.0, 32.0)
    assert existence["models"] == 1


def test_fig5_draws_data_of_any_name(tmp_path: Path) -> None:
    for adapter in ("our_captions", "1.2M", "0.5M"):
        fill(tmp_path, ("clip",), axes={"adapter": adapter})
    assert draw(plot_fig5.main, tmp_path) == 0
    points = pd.read_csv(tmp_path / "out" / "fig5.csv")
    assert set(points["recipe"]) == {"0.5M frozen", "1.2M frozen", "our_captions frozen"}


def test_fig17_refuses_two_frozen_models_of_one_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They differ in settings that are no axis; with either, the change would be another."""
    fill(tmp_path, ("clip",), axes={"vision": "unfrozen"})
    for model in ("a" * 64, "b" * 64):
        for benchmark, category in LAB.items():
            put(tmp_path, manifest(("clip",), benchmark, category, model=model))
    assert draw(plot_fig17.main, tmp_path) == 2
    said = capsys.readouterr().err
    assert "several frozen models for one pair: clip frozen aaaaaaaa, clip frozen bbbbbbbb; choose" in said
