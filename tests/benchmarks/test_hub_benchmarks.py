"""Every row of the hub's benchmarks: read from its schema, asked, answered and scored by the stage itself.

`python tests/benchmarks/test_hub_benchmarks.py` writes the snapshot of the prompts and the page's tables;
with `--change-prompts`, also over prompts that have changed in benchmarks whose version was raised.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hub_fixtures import FILES, TABLES, write_benchmark
from prompt_snapshots import may_change, read_snapshots, write_snapshots

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.material import open_hub_material
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB, PAPER16, UNSCORED
from cambrian.benchmarks.records import Question, read_predictions, read_questions
from cambrian.benchmarks.suite import SUITES
from cambrian.data.conversation import Pictures
from cambrian.data.pictures import View
from cambrian.errors import leaving_on_user_error
from cambrian.model.generation import Request
from cambrian.runtime import Runtime
from cambrian.stages import asking, evaluate
from cambrian.stages.base import Artifact, StageContext

ROWS = {**HUB, **UNSCORED}
EVERY = pytest.mark.parametrize("name", list(HUB))
PROMPTS = Path(__file__).with_name("hub_prompts.json")
VIEWS = (View(16, (0, 0, 0)), View(24, (127, 127, 127)))
Say = Callable[[Question], str]


class StubModel:
    """Has what asking needs of a model."""

    views = VIEWS

    def to(self, device: str) -> StubModel:
        return self


def recipe(row: HubBenchmark, data: Path, n: int = 0) -> dict[str, Any]:
    content = fingerprint(data / "benchmarks" / row.id)
    return {"benchmark": row.recipe(content), "questions": n, "seed": 0}


def asked(row: HubBenchmark, runtime: Runtime, n: int = 0, seed: int = 0) -> Sequence[Question]:
    assert runtime.data is not None
    content = fingerprint(runtime.data / "benchmarks" / row.id)
    return open_hub_material(row, runtime, content=content, n=n, seed=seed).questions


def evaluate_with(
    say: Say, row: HubBenchmark, context: StageContext, monkeypatch: pytest.MonkeyPatch, n: int = 0
) -> tuple[dict[str, Any], list[list[Request]]]:
    """Run the stage with a model that says what it is told to with the image, and nothing without."""
    data = context.runtime.data
    assert data is not None
    questions = {question.id: question for question in asked(row, context.runtime, n)}
    calls: list[list[Request]] = []

    def answer_in_parts(
        model: object, requests: list[Request], pictures: Pictures, *, vision: bool, **settings: Any
    ) -> Generator[dict[int, str]]:
        calls.append(list(requests))
        for place, request in enumerate(requests):
            if vision:
                assert request.image is not None
                shown = pictures([request.image], VIEWS)
                assert [shown[view].shape for view in VIEWS] == [(1, 16, 16, 3), (1, 24, 24, 3)]
            yield {place: say(questions[request.id]) if vision else ""}

    monkeypatch.setattr(evaluate, "_load", lambda *_: StubModel())
    monkeypatch.setattr(asking, "answer_in_parts", answer_in_parts)
    monkeypatch.setattr(evaluate, "KeptAnswers", lambda *_: None)  # of equal questions all are asked
    model = Artifact(digest="model", path=Path(), manifest={"files": {}})
    return evaluate.run(recipe(row, data, n), {"model": model}, context), calls


def right(question: Question) -> str:
    return f"The answer is ({question.answer})." if question.options else question.answer


def wrong(question: Question) -> str:
    if question.options:
        return "B" if question.answer == "A" else "A"
    opposite = {"yes": "no", "no": "yes"}
    return opposite.get(question.answer.lower(), "zebra 987654")


def test_every_row_has_a_fixture_and_the_paper_its_sixteen() -> None:
    assert set(ROWS) == {*TABLES, *FILES}
    assert (len(PAPER16), SUITES["paper16"]) == (16, PAPER16)
    assert set(SUITES["hub"]) == set(HUB)
    assert set(SUITES["unscored"]) == set(UNSCORED) == {name for name, row in ROWS.items() if row.unscored}
    assert len({row.display for row in ROWS.values()}) == len(ROWS)


@EVERY
def test_a_row_is_closed_where_every_question_has_lettered_options(name: str, context: StageContext) -> None:
    row = HUB[name]
    assert row.closed == (row.matcher == "choice" and "open" not in row.options)
    if row.closed:
        assert all(len(question.options) > 1 for question in asked(row, context.runtime))


@EVERY
def test_right_answers(name: str, context: StageContext, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, _ = evaluate_with(right, HUB[name], context, monkeypatch)
    assert metrics["score"] == (2000 * 2 / 10 if name == "mme_p" else 100)
    assert metrics["unparsed"] == 0
    assert (metrics["unanswered"], metrics["total"]) == (0, HUB[name].questions)
    assert metrics["n"] == len(read_questions(context.payload / "questions.jsonl"))
    assert len(read_predictions(context.payload / "predictions.jsonl")) == 2 * metrics["n"]


@EVERY
def test_wrong_answers(name: str, context: StageContext, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, _ = evaluate_with(wrong, HUB[name], context, monkeypatch)
    assert metrics["score"] == 0


@EVERY
def test_no_answer(name: str, context: StageContext, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, _ = evaluate_with(lambda question: "", HUB[name], context, monkeypatch)
    assert (metrics["score"], metrics["unparsed"]) == (0, 100)


def prompts(name: str, runtime: Runtime) -> dict[str, Any]:
    kept = ("id", "prompt", "answer", "options", "group", "answers", "part")
    asked_now = [{key: getattr(question, key) for key in kept} for question in asked(ROWS[name], runtime)]
    return {"version": ROWS[name].version, "questions": json.loads(json.dumps(asked_now))}


@pytest.mark.parametrize("name", list(ROWS))
def test_prompts_are_what_they_were(name: str, context: StageContext) -> None:
    kept, made = read_snapshots(PROMPTS)[name], prompts(name, context.runtime)
    assert made == kept, (
        f"Questions of {name} have changed: scores are not comparable with those in any store. If that is "
        "meant, raise the row's version and run `python tests/benchmarks/test_hub_benchmarks.py "
        "--change-prompts`."
    )


DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def documented(text: str) -> str:
    """The page with its table and notes as the rows make them."""
    lines, unscored, notes = [], [], []
    for row in ROWS.values():
        configs = ", ".join(filter(None, row.data.configs))
        place = row.data.hub + (f": {configs}" if configs else "")
        cells = (row.id, row.display, row.category, place, row.data.split, f"{row.questions:,}")
        if row.unscored:
            unscored.append(f"| {' | '.join((*cells, row.unscored))} |")
        else:
            lines.append(f"| {' | '.join((*cells, row.options, row.matcher, row.metric))} |")
        if row.note:
            notes.append(f"- {row.display}: {row.note}.")
    apart = re.compile(r"(<!-- unscored -->\n(?:\|.*\n){2})(?:\|.*\n)*(<!-- end -->)")
    text = apart.sub(lambda found: found[1] + "\n".join(unscored) + "\n" + found[2], text)
    table = re.compile(r"(<!-- table -->\n(?:\|.*\n){2})(?:\|.*\n)*(<!-- end -->)")
    text = table.sub(lambda found: found[1] + "\n".join(lines) + "\n" + found[2], text)
    listed = re.compile(r"(<!-- notes -->\n)(?:-.*\n)*(<!-- end -->)")
    return listed.sub(lambda found: found[1] + "\n".join(notes) + "\n" + found[2], text)


def test_the_table_of_the_documentation() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert documented(text) == text, "run `python tests/benchmarks/test_hub_benchmarks.py`"


def write_snapshot(data: Path, *, change: bool) -> None:
    """Write prompts and tables anew."""
    for name, row in ROWS.items():
        write_benchmark(data / "benchmarks" / name, name, row.data.split)
    made = {name: prompts(name, Runtime(store=data / "store", data=data)) for name in ROWS}
    write_snapshots(PROMPTS, made, change=change)
    DOCUMENT.write_text(documented(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, leaving_on_user_error():
        write_snapshot(Path(folder), change=may_change("Write the snapshot of the prompts and the tables."))
