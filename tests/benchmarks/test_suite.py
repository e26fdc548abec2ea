"""The table of benchmarks agrees with the world, and its prompts are what they were.

`python tests/benchmarks/test_suite.py` writes the snapshot of the prompts; with `--change-prompts` also over
those of a world whose version was raised.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from prompt_snapshots import may_change, read_snapshots, write_snapshots

from cambrian.benchmarks.records import Prediction, Question
from cambrian.benchmarks.scoring import rules_of, score
from cambrian.benchmarks.suite import BENCHMARKS, CATEGORIES, SUITES, Benchmark, images, questions, select
from cambrian.errors import UserError, leaving_on_user_error
from cambrian.lab.questions import SOLVED, TASKS
from cambrian.lab.world import WORLD_VERSION

SNAPSHOT = Path(__file__).with_name("lab_prompts.json")
LAB = [BENCHMARKS[name] for name in SUITES["lab"]]
EVERY = pytest.mark.parametrize("benchmark", LAB, ids=lambda benchmark: benchmark.id)


def snapshot(benchmark: Benchmark) -> dict[str, object]:
    """The first questions as plain values, and the version of the world that they are about."""
    asked = [
        {"id": q.id, "prompt": q.prompt, "answer": q.answer, "options": list(q.options)}
        for q in questions(benchmark, 6, 0)
    ]
    return {"version": WORLD_VERSION, "questions": asked}


def answers(items: list[Question], sighted: str | None = None) -> list[Prediction]:
    """Predictions that are all right, or all `sighted` with the image; blind ones are empty."""
    return [
        Prediction(id=q.id, vision=vision, prompt=q.prompt, raw=(sighted or q.answer) if vision else "")
        for q in items
        for vision in (True, False)
    ]


def test_one_row_for_each_task_that_the_lab_solves() -> None:
    assert {row.id: row.category for row in LAB} == {f"lab_{name}": TASKS[name].category for name in SOLVED}


def test_every_category_has_at_least_two_benchmarks() -> None:
    counted = Counter(row.category for row in LAB)
    assert set(counted) == set(CATEGORIES)
    assert min(counted.values()) >= 2


def test_names_in_figures_are_different() -> None:
    assert len({row.display for row in BENCHMARKS.values()}) == len(BENCHMARKS)


@EVERY
def test_prompts_are_what_they_were(benchmark: Benchmark) -> None:
    assert snapshot(benchmark) == read_snapshots(SNAPSHOT).get(benchmark.id), (
        f"Questions of {benchmark.id} have changed: scores are not comparable with those in any store. "
        "If that is meant, raise WORLD_VERSION (cambrian/lab/world.py), run "
        "`python tests/benchmarks/test_suite.py --change-prompts` and name the change in the changelog."
    )


def test_snapshot_holds_nothing_else() -> None:
    assert list(read_snapshots(SNAPSHOT)) == list(SUITES["lab"])


@EVERY
def test_right_answers_score_100(benchmark: Benchmark) -> None:
    items = questions(benchmark, 60, 1)
    result = score(benchmark, items, answers(items))
    assert (result.score, result.blind, result.n) == (100.0, 0.0, 60)
    assert (result.unparsed, result.blind_unparsed) == (0.0, 100.0)
    assert 0 <= result.chance <= 50
    assert result.majority <= 60


@EVERY
def test_nonsense_scores_0_and_is_unparsed(benchmark: Benchmark) -> None:
    items = questions(benchmark, 20, 1)
    result = score(benchmark, items, answers(items, sighted="..."))
    assert (result.score, result.unparsed) == (0.0, 100.0)


@EVERY
def test_answers_are_among_the_options(benchmark: Benchmark) -> None:
    assert all(q.answer in q.options for q in questions(benchmark, 40, 2) if q.options)


def test_questions_repeat_and_depend_on_the_seed() -> None:
    depth = BENCHMARKS["lab_depth"]
    assert questions(depth, 10, 0) == questions(depth, 10, 0)
    assert [q.prompt for q in questions(depth, 10, 0)] != [q.prompt for q in questions(depth, 10, 1)]
    assert {q.id for q in questions(depth, 10, 0)}.isdisjoint(q.id for q in questions(depth, 10, 1))


def test_pictures_belong_to_the_questions() -> None:
    count = BENCHMARKS["lab_count"]
    pictures = images(count, 5, 0, 64)
    assert (pictures.shape, pictures.dtype) == ((5, 64, 64, 3), np.uint8)
    names = [q.image for q in questions(count, 5, 0)]
    assert len({picture.tobytes() for picture in pictures}) == len(set(names)) == 5


def test_select() -> None:
    assert select(["lab"]) == LAB
    assert [row.id for row in select(["lab_sums", "lab_text", "lab_sums"])] == ["lab_sums", "lab_text"]
    assert select(["lab_count", "lab"]) == LAB


def test_select_names_every_unknown() -> None:
    with pytest.raises(UserError) as raised:
        select(["lab_cuont", "lab", "labb"])
    assert "unknown benchmark 'lab_cuont'; did you mean 'lab_count'?" in str(raised.value)
    assert "unknown benchmark 'labb'; did you mean 'lab'?" in str(raised.value)


def test_recipe_is_what_scoring_needs_and_no_more() -> None:
    row = BENCHMARKS["lab_count"]
    recipe = row.recipe()
    rules = rules_of(recipe)
    assert (rules.id, rules.matcher, rules.metric, rules.cluster) == (
        "lab_count",
        "number",
        "accuracy",
        "image",
    )
    assert not {"display", "category"} & set(recipe)


def test_recipe_without_a_matcher() -> None:
    recipe = BENCHMARKS["lab_count"].recipe()
    del recipe["matcher"]
    with pytest.raises(UserError, match="lacks matcher"):
        rules_of(recipe)


if __name__ == "__main__":
    with leaving_on_user_error():
        write_snapshots(
            SNAPSHOT,
            {row.id: snapshot(row) for row in LAB},
            change=may_change("Write the snapshot of the prompts."),
        )
