"""Benchmarks without public answers: asked, stored, ready for their server, and without a number anywhere."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from test_hub_benchmarks import asked, evaluate_with

from analysis.results import read_results
from cambrian.benchmarks import judge, rescore
from cambrian.benchmarks.hub.rows import UNSCORED
from cambrian.benchmarks.sheets import read_sheets
from cambrian.errors import DataError, UserError
from cambrian.release.card import _scores
from cambrian.stages.base import Artifact, StageContext
from cambrian.sweep import scores
from cambrian.sweep.summary import point_scores

EVERY = pytest.mark.parametrize("name", list(UNSCORED))
LEVELS = {"score": 50.0, "low": 40.0, "high": 60.0, "blind": 30.0, "chance": 25.0}


def entry(root: Path, name: str, metrics: dict[str, Any], context: StageContext) -> Path:
    """Put what the stage left into a store, as an evaluation of one model."""
    place = root / "evaluate" / f"{name:0<64}"
    place.parent.mkdir(parents=True, exist_ok=True)
    context.payload.rename(place)
    row = UNSCORED[name]
    axes = {"benchmark": name, "category": row.category}
    manifest = {"kind": "evaluate", "digest": place.name, "axes": axes, "metrics": metrics}
    (place / "manifest.json").write_text(json.dumps({**manifest, "recipe": {"benchmark": row.recipe()}}))
    return place


@EVERY
def test_the_stage_stores_answers_and_no_score(
    name: str, context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = UNSCORED[name]
    metrics, calls = evaluate_with(lambda question: f" a {question.id}\ud800", row, context, monkeypatch)
    questions = asked(row, context.runtime)
    n, images = len(questions), len({question.image for question in questions})
    counts = {"n": n, "images": images, "total": row.questions, "unanswered": 0}
    assert metrics == {**counts, "unscored": row.unscored}
    assert len(calls) == 2, "it is asked blind as well"
    sent = json.loads((context.payload / "submission.json").read_text(encoding="utf-8"))
    said = {question.id: f"a {question.id}\ud800" for question in questions}
    if name == "mmvet":
        assert sent == said
    else:
        key = "question_id" if name == "stvqa" else "questionId"
        assert sent == [{key: int(number), "answer": answer} for number, answer in said.items()]


def test_no_table_pretends_a_score(
    context: StageContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics, _ = evaluate_with(lambda question: "x", UNSCORED["stvqa"], context, monkeypatch)
    place = entry(tmp_path / "lab", "stvqa", metrics, context)
    results = read_results(tmp_path / "lab")
    assert (len(results.frame), results.problems) == (0, ())
    assert results.unscored == {"stvqa": "no public answers"}
    assert rescore.main([str(tmp_path / "lab")]) == 0
    assert "stvqa                    no score: no public answers" in capsys.readouterr().out
    with pytest.raises(UserError, match="no accepted answers to judge by: no public answers"):
        judge.main([str(place), "--endpoint", "http://127.0.0.1:1/v1", "--model", "m"])
    card = _scores([{"benchmark": "stvqa", "category": "ocr_chart", "lab": False, "metrics": metrics}])
    assert card.endswith("Not scored: stvqa, 3 questions: no public answers.")


def test_the_means_of_a_run_leave_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(name: str, **metrics: Any) -> Artifact:
        manifest = {"axes": {"benchmark": name, "category": "ocr_chart"}, "metrics": {"n": 3, **metrics}}
        return Artifact(digest="", path=Path(), manifest=manifest)

    mixed = [made("chartqa", **LEVELS), made("stvqa", unscored="no public answers")]
    assert scores.category_means(mixed) == {"ocr_chart": {"score": 50.0, "blind": 30.0, "chance": 25.0}}
    found = {"mixed": mixed, "alone": mixed[1:]}
    run = type("Run", (), {"name": "mixed"})()
    alone = type("Run", (), {"name": "alone"})()
    for module in ("scores", "summary"):
        monkeypatch.setattr(f"cambrian.sweep.{module}.find_evaluations", lambda run, store: found[run.name])
    numbers = point_scores(run, None)  # type: ignore[arg-type]
    assert numbers is not None
    assert (numbers["average"], numbers["vision_gain/average"], numbers["chartqa/vision_gain"]) == (
        50,
        20,
        20,
    )
    assert not [name for name in numbers if name.startswith("stvqa")]
    assert point_scores(alone, None) is None  # type: ignore[arg-type]
    console = Console(file=io.StringIO(), width=scores.WIDTH)
    monkeypatch.setattr(scores, "Console", lambda **_: console)
    plan = type("Plan", (), {"runs": [run, alone]})()
    outcome = type("Outcome", (), {"unfinished": {}, "failed": {}})()
    scores.print_scores(plan, type("Store", (), {"place": "here"})(), outcome)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "vision gain" in printed
    (line,) = [line for line in printed.splitlines() if "mixed" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")][-3:] == ["-", "50.0", "+20.0"]
    assert "not scored: stvqa: no public answers" in printed


@EVERY
def test_a_file_of_predictions_is_not_scored_either(name: str, tmp_path: Path) -> None:
    row = {"id": "1", "benchmark": name, "prediction": "x", "answer": "x"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match=f"line 1: '{name}' has no score: "):
        read_sheets(tmp_path / "a.jsonl")
