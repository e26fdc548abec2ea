"""Intervals of lines with several seeds come from the credits of single questions, where there are any."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_store import LAB, answer, forget_credits

from analysis.command import read_credits, read_lines
from analysis.lines import Line, own_lines
from analysis.statistics import Estimate
from analysis.units import UNITS_FILE
from analysis.variance import Terms, spread_of, variance_of_score
from cambrian.benchmarks.metrics import wilson


def fill(store: Path, seeds: int, encoder: str = "siglip") -> None:
    """Runs that find the same questions hard; each seed has its own luck with every answer."""
    for place, (benchmark, category) in enumerate(LAB.items()):
        hard = np.random.default_rng(place).uniform(size=120)
        for seed in range(seeds):
            luck = np.random.default_rng([place, seed, len(encoder)]).normal(0, 0.2, size=120)
            right = (hard + luck < 0.6).astype(float)
            answer(store, (encoder,), benchmark, right, category=category, axes={"seed": seed})


def line(store: Path) -> Line:
    (found,) = read_lines(str(store), []).lines
    return found


def interval(score: float, terms: Terms) -> Estimate:
    """Wilson's, of three seeds."""
    variance = variance_of_score(terms, [0, 1, 2])
    share = score / 100
    low, high = wilson(share, 100**2 * share * (1 - share) / variance.error**2, variance.quantile())
    return Estimate(score=score, low=pytest.approx(100 * low), high=pytest.approx(100 * high))


def test_questions_and_seeds_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, 3)
    found = line(tmp_path)
    frame, credits = read_credits(str(tmp_path), [])
    (alone,) = own_lines(frame).lines
    spreads = {each.benchmark: spread_of(each) for each in credits}
    for name, point in found.scores.items():
        assert point.estimate.score == alone.scores[name].estimate.score
        assert point.estimate == interval(point.estimate.score, [(1.0, spreads[name])])
    pair = [(0.5, spreads[name]) for name in ("counting", "depth")]
    estimate = found.points["vision_centric"].estimate
    assert estimate == interval(estimate.score, pair)
    every = [(1 / 8, spread) for spread in spreads.values()]
    assert found.average is not None and alone.average is not None
    assert found.average.score == alone.average.score and alone.average.low is None
    assert found.average == interval(found.average.score, every)
    assert capsys.readouterr().err == ""


def test_one_seed_keeps_the_interval_of_its_manifest(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    frame, _ = read_credits(str(tmp_path), [])
    assert own_lines(frame).lines == (line(tmp_path),)


def test_without_credits_there_is_a_mean_and_no_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, 2)
    forget_credits(tmp_path)
    found = line(tmp_path)
    said = capsys.readouterr().err
    assert "16 evaluations without credits of single questions" in said
    assert "note: siglip: no interval over its seeds on attribute, existence, arithmetic, facts" in said
    assert found.average is not None
    estimates = [point.estimate for point in (*found.points.values(), *found.scores.values())]
    assert all(each.low is None and each.high is None for each in (*estimates, found.average))


def test_a_benchmark_without_credits_leaves_means_with_it_without_an_interval(tmp_path: Path) -> None:
    fill(tmp_path / "whole", 2)
    shutil.copytree(tmp_path / "whole", tmp_path / "part")
    frame, _ = read_credits(str(tmp_path / "part"), [])
    for digest in frame.loc[frame["benchmark"] == "counting", "digest"]:
        (tmp_path / "part" / "evaluate" / digest / UNITS_FILE).unlink()
    found, whole = line(tmp_path / "part"), line(tmp_path / "whole")
    assert found.average is not None and found.average.low is None
    assert found.scores["counting"].estimate.low is None
    assert found.points["vision_centric"].estimate.low is None
    assert found.scores["depth"] == whole.scores["depth"]
    assert found.points["general"] == whole.points["general"]


def test_seeds_that_answered_different_questions_have_no_interval_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, 2)
    frame, _ = read_credits(str(tmp_path), [])
    (one,) = frame.loc[(frame["benchmark"] == "counting") & (frame["seed"] == 1), "digest"]
    shutil.rmtree(tmp_path / "evaluate" / one)
    right, axes = [1.0, 0.0, 1.0, 1.0], {"seed": 1}
    answer(tmp_path, ("siglip",), "counting", right, units=["a", "b", "c", "d"], axes=axes)
    found = line(tmp_path)
    assert found.scores["counting"].estimate.low is None
    assert found.scores["depth"].estimate.low is not None
    assert "siglip: no interval over its seeds on counting and on means" in capsys.readouterr().err


def test_a_benchmark_of_one_seed_keeps_the_interval_of_its_manifest(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    frame, _ = read_credits(str(tmp_path), [])
    alone = frame[(frame["benchmark"] == "counting") & (frame["seed"] == 0)].iloc[0]
    (other,) = frame.loc[(frame["benchmark"] == "counting") & (frame["seed"] == 1), "digest"]
    shutil.rmtree(tmp_path / "evaluate" / other)
    found = line(tmp_path).scores["counting"].estimate
    assert (found.low, found.high) == (alone["low"], alone["high"])
