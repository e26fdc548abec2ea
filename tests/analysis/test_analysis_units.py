"""Reading credits: which questions are the same, what a file must be, and what is said of one that is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_store import answer, fill, forget_credits, manifest, put

from analysis.results import read_results
from analysis.units import UNITS_FILE, Units, read_units


def read(store: Path) -> Units:
    return read_units(store, read_results(store).frame)


def test_credits_of_the_same_questions_are_one_table(tmp_path: Path) -> None:
    answer(tmp_path, ("siglip",), "depth", [1, 0, 1, 0.5], clusters=[7, 7, 3, 3])
    answer(tmp_path, ("dinov2",), "depth", [0, 0, 1, 1], blind=[0, 0, 0, 1], clusters=[7, 7, 3, 3])
    (credits,) = read(tmp_path).credits
    assert (credits.benchmark, credits.category) == ("depth", "vision_centric")
    first = credits.runs.index(read_results(tmp_path).frame.query("encoder == 'siglip'")["run"].iloc[0])
    assert credits.sighted[first].tolist() == [1, 0, 1, 0.5]
    assert credits.blind[1 - first].tolist() == [0, 0, 0, 1]
    assert credits.points.tolist() == [25] * 4
    totals = credits.totals(credits.sighted)
    assert sorted(totals[first]) == [25, 37.5]
    assert totals.sum(axis=1).tolist() == pytest.approx((credits.sighted @ credits.points).tolist())


def test_the_order_of_questions_does_not_matter(tmp_path: Path) -> None:
    answer(tmp_path, ("siglip",), "depth", [1, 0, 0], units=["a", "b", "c"])
    answer(tmp_path, ("dinov2",), "depth", [0, 1, 0], units=["c", "a", "b"])
    (credits,) = read(tmp_path).credits
    assert credits.units.tolist() == ["a", "b", "c"]
    assert credits.sighted.tolist() == [[1, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"units": ["a", "b", "d"]}, id="another question"),
        pytest.param({"units": ["a", "b", "c"], "clusters": [0, 0, 1]}, id="another picture"),
    ],
)
def test_other_questions_are_another_table(tmp_path: Path, other: dict) -> None:
    answer(tmp_path, ("siglip",), "depth", [1, 0, 0], units=["a", "b", "c"])
    answer(tmp_path, ("dinov2",), "depth", [0, 1, 0], **other)
    units = read(tmp_path)
    assert [len(each.runs) for each in units.credits] == [1, 1]
    assert units.problems == ()


def test_mme_is_in_points(tmp_path: Path) -> None:
    answer(tmp_path, ("siglip",), "mme_p", [1, 0.5, 0, 0], category="general")
    (credits,) = read(tmp_path).credits
    assert (credits.sighted @ credits.points).tolist() == pytest.approx([37.5])


def test_an_evaluation_without_credits_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    answer(tmp_path, ("siglip",), "depth", [1, 0, 0])
    axes = {"vision": "unfrozen", "vision_blocks": 4}
    old = put(tmp_path, manifest(("siglip", "dinov2"), "depth", axes=axes))
    units = read(tmp_path)
    assert len(units.credits) == 1
    (problem,) = units.problems
    assert problem == (
        f"{old}: no units.arrow: evaluated by a version that did not keep its credits; make it again: "
        "python run.py scale=lab 'encoder=[siglip,dinov2]' connector=concat adapter=1.2M vision=unfrozen "
        "vision.blocks=4 instruct=737k llm=tiny seed=0"
    )


def test_credits_that_are_not_those_of_the_score(tmp_path: Path) -> None:
    one = answer(tmp_path, ("siglip",), "depth", [1, 0, 0])
    two = answer(tmp_path, ("dinov2",), "depth", [1, 1, 0])
    three = answer(tmp_path, ("sam",), "depth", [1, 1, 1], units=["a", "b", "a"])
    four = answer(tmp_path, ("mae",), "depth", [1, 1, 1])
    (one / UNITS_FILE).write_bytes((two / UNITS_FILE).read_bytes())
    (four / UNITS_FILE).write_bytes(b"")
    units = read(tmp_path)
    assert [len(each.runs) for each in units.credits] == [1]
    found = {problem.partition(": ")[0]: problem.partition(": ")[2] for problem in units.problems}
    assert found[str(one)].startswith(
        "the credits sum up to 66.6667, and the score is 33.3333; make it again"
    )
    assert found[str(three)].startswith("units.arrow has 1 units twice")
    assert found[str(four)].startswith("units.arrow is no Arrow file")


def test_the_tidy_table(tmp_path: Path) -> None:
    answer(tmp_path, ("siglip",), "depth", [1, 0, 0])
    answer(tmp_path, ("dinov2",), "depth", [1, 1, 0])
    answer(tmp_path, ("dinov2",), "facts", [1, 0], category="knowledge")
    frame = read(tmp_path).to_frame()
    assert len(frame) == 8
    frame["score"] = frame["points"] * frame["sighted"]
    scores = frame.groupby(["run", "benchmark"], observed=True)["score"].sum()
    assert sorted(scores) == pytest.approx([100 / 3, 50.0, 200 / 3])
    assert set(frame["unit"]) == {"q00000", "q00001", "q00002"}
    assert frame["sighted"].dtype == np.float32


def test_a_store_of_manifests_alone(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",))
    forget_credits(tmp_path)
    units = read(tmp_path)
    assert (units.credits, len(units.problems)) == ((), 8)
    assert units.to_frame().empty
