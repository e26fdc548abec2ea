"""Pairs of models in the report: differences, and the questions that are shown."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from answered_store import evaluate
from fake_store import answer

from analysis.paired import compare
from analysis.published import CATEGORIES
from analysis.report.comparison import compare_all, packed
from analysis.report.entries import read_entries
from analysis.report.sample import MOST_PER_BENCHMARK, read_sample, room_for
from analysis.results import read_results
from analysis.units import read_units
from cambrian.benchmarks.records import PREDICTIONS_FILE


def test_every_pair_has_the_interval_of_the_paired_comparison(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    encoders = ("siglip", "mae", "clip")
    for benchmark, category in (
        ("charts", "ocr_chart"),
        ("counting", "vision_centric"),
        ("depth", "vision_centric"),
    ):
        pictures = rng.integers(0, 20, 60).tolist()
        for encoder in encoders:
            credits = rng.integers(0, 2, 60).tolist()
            answer(tmp_path, (encoder,), benchmark, credits, clusters=pictures, category=category)
    same = rng.integers(0, 2, 30).tolist()
    for encoder in encoders:
        answer(tmp_path, (encoder,), "letters", same, category="ocr_chart")
    frame = read_results(tmp_path).frame
    credits = read_units(tmp_path, frame).credits
    found = {one.name: one for one in compare_all(credits)}
    runs = sorted(set(frame["run"]))
    for first, second in ((0, 1), (0, 2), (2, 1)):
        for wanted in compare(credits, [runs[first]], [runs[second]]).differences:
            if wanted.level == "average":
                continue  # here it is of the four categories, and two of them are not there
            one = found[f"{CATEGORIES[wanted.name]}: mean" if wanted.level == "category" else wanted.name]
            i, j = one.runs.index(runs[first]), one.runs.index(runs[second])
            assert one.scores[i] - one.scores[j] == pytest.approx(wanted.difference)
            assert one.reaches[i, j] == pytest.approx((wanted.high - wanted.low) / 2)


def test_credits_that_differ_are_counted(tmp_path: Path) -> None:
    answer(tmp_path, ("siglip",), "counting", [1, 1, 1, 0, 0, 1])
    answer(tmp_path, ("mae",), "counting", [0, 1, 0, 0, 1, 0.5])
    frame = read_results(tmp_path).frame
    (one,) = [each for each in compare_all(read_units(tmp_path, frame).credits) if each.units]
    assert one.differing is not None and one.differing.tolist() == [[0, 4], [4, 0]]
    assert one.units == 6


def test_the_browser_gets_the_half_above_the_diagonal(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for encoder in ("siglip", "mae", "clip", "dinov2"):
        answer(tmp_path, (encoder,), "counting", rng.integers(0, 2, 50).tolist())
    frame = read_results(tmp_path).frame
    (one,) = [each for each in compare_all(read_units(tmp_path, frame).credits) if each.units]
    places = {run: place for place, run in enumerate(reversed(one.runs))}
    sent = packed(one, places)
    assert sent["runs"] == [0, 1, 2, 3]
    assert one.differing is not None
    turned = one.differing[::-1, ::-1]
    values = np.frombuffer(base64.b64decode(str(sent["differing"])), "<u2")
    assert values.tolist() == [turned[i, j] for i in range(4) for j in range(i + 1, 4)]


def test_a_sample_is_bounded() -> None:
    assert room_for(12, 4) == MOST_PER_BENCHMARK
    assert room_for(26, 138) == 23
    assert room_for(26, 1000) * 26 * 1000 <= 90_000
    assert room_for(0, 0) == MOST_PER_BENCHMARK


def test_answers_are_found_in_any_order(tmp_path: Path) -> None:
    for encoder, right in (("siglip", (0, 1, 2)), ("mae", (3,))):
        evaluate(tmp_path, (encoder,), "lab_count", right)
    frame, entries = read_results(tmp_path).frame, read_entries(tmp_path)
    (credits,) = read_units(tmp_path, frame).credits
    digests = dict(zip(frame["run"], frame["digest"], strict=True))
    straight = read_sample(credits, digests, entries, 5)
    for entry in entries.of_kind("evaluate"):
        path = entry.place / PREDICTIONS_FILE
        path.write_bytes(b"\n".join(reversed(path.read_bytes().split(b"\n"))))
    assert read_sample(credits, digests, entries, 5).answers == straight.answers
    assert len(straight.answers) == 4
