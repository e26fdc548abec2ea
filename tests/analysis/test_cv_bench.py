"""CV-Bench as one number: the mean of its halves, however many questions each has."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from fake_store import manifest, put

from analysis.cv_bench import main, score_runs
from analysis.errors import AnalysisError
from analysis.results import read_results


def evaluate(store: Path, encoder: str, flat: float, deep: float, seed: int = 0) -> None:
    """One run with a score on each half, 4 and 3 points above the lower ends."""
    for benchmark, score, half, n in (("cvbench_2d", flat, 4.0, 1438), ("cvbench_3d", deep, 3.0, 1200)):
        metrics = {"score": score, "low": score - half, "high": score + half, "blind": 40.0, "n": n}
        put(store, manifest((encoder,), benchmark, axes={"seed": seed, "scale": "mini"}, metrics=metrics))


def test_the_whole_is_the_mean_of_its_halves(tmp_path: Path) -> None:
    evaluate(tmp_path, "siglip", 60.0, 50.0)
    put(tmp_path, manifest(benchmark="mmvp", axes={"scale": "mini"}, metrics={"score": 99.0, "high": 99.5}))
    table = score_runs(read_results(tmp_path).frame).set_index("benchmark")
    assert table.loc[["CV-Bench 2D", "CV-Bench 3D", "CV-Bench"], "score"].tolist() == [60.0, 50.0, 55.0]
    whole = table.loc["CV-Bench"]
    half = math.hypot(4.0, 3.0) / 2
    assert (whole["low"], whole["high"]) == (55.0 - half, 55.0 + half)
    assert (whole["blind"], whole["chance"], whole["seeds"]) == (40.0, 25.0, "0")


def test_seeds_are_one_row_and_designs_keep_their_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(tmp_path, "siglip", 60.0, 50.0)
    evaluate(tmp_path, "siglip", 62.0, 52.0, seed=1)
    evaluate(tmp_path, "dinov2", 70.0, 61.0)
    assert main(["--store", str(tmp_path), "--csv", str(tmp_path / "table.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["dinov2", "siglip"], "best first"
    assert "65.5 [" in lines[1] and "56.0 [" in lines[2] and " 0,1 " not in lines[2]
    written = pd.read_csv(tmp_path / "table.csv")
    assert written[written["benchmark"] == "CV-Bench"].set_index("run")["score"].to_dict() == {
        "siglip": 56.0,
        "dinov2": 65.5,
    }


def test_a_run_with_one_half_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, manifest(("mae",), "cvbench_2d", axes={"scale": "mini"}))
    with pytest.raises(AnalysisError, match=r"no model .* on both halves of CV-Bench \(1 on one of them\)"):
        score_runs(read_results(tmp_path).frame)
    assert main(["--store", str(tmp_path)]) == 2
    evaluate(tmp_path, "siglip", 60.0, 50.0)
    assert main(["--store", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "models left out for want of one half: 1" in said.err
    assert "mae" not in said.out
