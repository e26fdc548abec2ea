"""benchmarks.answering: a design choice of its own, for benchmarks whose questions all have options."""

from __future__ import annotations

import pytest

from cambrian.benchmarks.answering import candidates_of
from cambrian.benchmarks.suite import BENCHMARKS, questions
from cambrian.config import read_study
from cambrian.errors import ConfigError
from cambrian.stages.base import Stage
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage

LIKELY = "benchmarks.answering=likelihood"
COUNT = "benchmarks.lab.include=[lab_count]"


def evaluations(*words: str) -> list[Stage]:
    lineage = Lineage()
    for recipe in read_study(expand(list(words))).recipes:
        lineage.run(recipe)
    return [stage for stage in lineage.stages.values() if stage.kind == "evaluate"]


def test_it_enters_the_recipe_the_axes_and_the_label_only_when_it_is_chosen() -> None:
    (plain,) = evaluations(COUNT)
    assert "answering" not in {*plain.recipe, *plain.axes}
    (named,) = evaluations(COUNT, "benchmarks.answering=generate")
    assert named.digest == plain.digest
    (likely,) = evaluations(COUNT, LIKELY)
    assert dict(likely.recipe) == {**plain.recipe, "answering": "likelihood"}
    assert dict(likely.axes) == {**plain.axes, "answering": "likelihood"}
    assert likely.label == plain.label.replace(" s0 ", " s0 by likelihood ")
    assert likely.inputs == plain.inputs


def test_both_can_be_swept_over_one_model() -> None:
    both = evaluations(COUNT, "benchmarks.answering=generate,likelihood")
    assert len({stage.digest for stage in both}) == 2
    assert len({stage.inputs["model"] for stage in both}) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["benchmarks.answering=likely"], "did you mean 'likelihood'"),
        ([LIKELY], "lab_spelling has questions without; use benchmarks.lab.include=[lab_existence,"),
        ([LIKELY, "benchmarks.lab.include=[lab_spelling]"], "without; use benchmarks.answering=generate"),
        ([LIKELY, "scale=paper"], "mme_p, gqa, mmmu_v, mathvista_m, "),
    ],
    ids=str,
)
def test_what_has_no_options_is_refused_before_anything_runs(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        evaluations(*words)
    assert said in str(raised.value)


def test_rows_of_the_lab_that_are_closed_have_options_everywhere() -> None:
    rows = [row for row in BENCHMARKS.values() if row.source == "lab"]
    for row in rows:
        offered = [candidates_of(row.matcher, question) for question in questions(row, 40, 0)]
        assert all(len(set(words)) == len(words) for words in offered)
        assert all(offered) if row.closed else not any(offered)
    assert [row.id for row in rows if not row.closed] == ["lab_spelling"]
