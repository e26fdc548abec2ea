"""Scores of hand-made predictions, exactly; and predictions that do not fit the questions."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks import rescore
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    Question,
    read_predictions,
    read_questions,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import Rules, Score, score
from cambrian.errors import UserError

RULES = Rules(id="colours", matcher="short", metric="accuracy", cluster="image")

#       id    image   answer   options             sighted    blind
ROWS = (
    ("q1", "one", "red", ("red", "blue"), "Red.", "red"),
    ("q2", "one", "blue", ("red", "blue"), "blue", "red"),
    ("q3", "two", "red", ("red", "blue", "green", "pink"), "the red", "I cannot tell"),
    ("q4", "three", "red", ("red", "blue", "green", "pink"), "blue", "red"),
    ("q5", "four", "two", (), "2", ""),
)
QUESTIONS = [
    Question(id=name, image=image, prompt=f"which, {name}?", answer=answer, options=options)
    for name, image, answer, options, _, _ in ROWS
]
PREDICTIONS = [
    Prediction(id=row[0], vision=vision, prompt=f"which, {row[0]}?", raw=row[4] if vision else row[5])
    for row in ROWS
    for vision in (True, False)
]


def test_exact_numbers() -> None:
    result = score(RULES, QUESTIONS, PREDICTIONS)
    assert (result.n, result.images) == (5, 4)
    assert result.score == 80.0
    assert result.blind == 40.0
    assert result.chance == pytest.approx(100 * (1 / 2 + 1 / 2 + 1 / 4 + 1 / 4 + 0) / 5)
    assert result.majority == 60.0
    assert (result.unparsed, result.blind_unparsed) == (0.0, 40.0)
    assert result.low < 80 < result.high
    assert result.blind_low < 40 < result.blind_high
    assert [verdict.sighted_credit for verdict in result.verdicts] == [1.0, 1.0, 1.0, 0.0, 1.0]
    assert [verdict.blind for verdict in result.verdicts] == ["red", "red", None, "red", None]
    assert result.verdicts[4].wanted == "2"


def test_metrics_are_plain_numbers() -> None:
    metrics = score(RULES, QUESTIONS, PREDICTIONS).metrics()
    assert set(metrics) >= {"score", "blind", "chance", "majority", "n", "low", "high", "unparsed"}
    assert json.loads(json.dumps(metrics)) == metrics
    assert all(type(value) in (int, float) for value in metrics.values())


def test_yes_or_no_without_options_is_a_coin() -> None:
    questions = [replace(QUESTIONS[0], answer="yes", options=())]
    predictions = [Prediction(id="q1", vision=vision, prompt="", raw="yes") for vision in (True, False)]
    assert score(replace(RULES, matcher="yes_no"), questions, predictions).chance == 50.0


def test_order_of_predictions_does_not_matter() -> None:
    shuffled = random.Random(0).sample(PREDICTIONS, len(PREDICTIONS))
    assert score(RULES, QUESTIONS, shuffled) == score(RULES, QUESTIONS, PREDICTIONS)


def test_cluster_item_ignores_images() -> None:
    questions = [replace(question, image="same") for question in QUESTIONS]
    item = score(replace(RULES, cluster="item"), questions, PREDICTIONS)
    assert (item.low, item.high) != (score(RULES, questions, PREDICTIONS).low, item.high)
    apart = [replace(question, image=question.id) for question in QUESTIONS]
    assert (item.low, item.high) == pytest.approx(
        (score(RULES, apart, PREDICTIONS).low, score(RULES, apart, PREDICTIONS).high)
    )


@pytest.mark.parametrize(
    ("predictions", "complaint"),
    [
        pytest.param(PREDICTIONS[1:], "1 missing predictions: q1 (with image)", id="missing"),
        pytest.param(PREDICTIONS[:-1], "1 missing predictions: q5 (blind)", id="missing blind"),
        pytest.param(
            [*PREDICTIONS, PREDICTIONS[0]], "1 duplicate predictions: q1 (with image)", id="duplicate"
        ),
        pytest.param(
            [*PREDICTIONS, replace(PREDICTIONS[0], id="q9")],
            "1 predictions for unknown questions: q9 (with image)",
            id="unknown",
        ),
        pytest.param([], "10 missing predictions", id="none"),
    ],
)
def test_predictions_that_do_not_fit(predictions: list[Prediction], complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        score(RULES, QUESTIONS, predictions)
    assert complaint in str(raised.value)


def test_all_faults_come_at_once_and_long_lists_are_cut() -> None:
    strangers = [replace(PREDICTIONS[0], id=f"x{index}") for index in range(30)]
    with pytest.raises(UserError) as raised:
        score(RULES, [*QUESTIONS, QUESTIONS[0]], [*PREDICTIONS[2:], *strangers])
    text = str(raised.value)
    assert "1 duplicate questions: q1" in text
    assert "2 missing predictions: q1 (with image), q1 (blind)" in text
    assert "30 predictions for unknown questions" in text
    assert "and 20 more" in text


def test_no_questions() -> None:
    with pytest.raises(UserError, match="no questions"):
        score(RULES, [], [])


def test_answer_that_cannot_be_read() -> None:
    with pytest.raises(UserError, match="question 'q1' has the answer 'purple'"):
        score(RULES, [replace(QUESTIONS[0], answer="purple")], PREDICTIONS[:2])


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("matcher", "shirt", "unknown matcher 'shirt'; did you mean 'short'"),
        ("metric", "acuracy", "unknown metric 'acuracy'; did you mean 'accuracy'"),
        ("cluster", "picture", "unknown cluster 'picture'"),
    ],
)
def test_rules_have_known_names(field: str, value: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        replace(RULES, **{field: value})


AWKWARD = st.text(st.characters(codec=None), max_size=40)  # with lone surrogates


@settings(deadline=None)
@given(raws=st.lists(AWKWARD, max_size=5), answer=AWKWARD)
def test_records_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, raws: list[str], answer: str
) -> None:
    folder = tmp_path_factory.mktemp("records")
    predictions = [
        Prediction(id=str(i), vision=i % 2 == 0, prompt=raw, raw=raw) for i, raw in enumerate(raws)
    ]
    questions = [Question(id="a", image="b", prompt=answer, answer=answer, options=tuple(raws))]
    write_predictions(folder / "p", predictions)
    write_questions(folder / "q", questions)
    assert read_predictions(folder / "p") == predictions
    assert read_questions(folder / "q") == questions
    assert (folder / "p").read_bytes().count(b"\n") == len(raws)


GOOD = b'{"id": "a", "vision": true, "prompt": "p", "raw": "r"}\n'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param(b'{"id": "a", "vision": tr', "line 2: not a JSON object", id="cut off"),
        pytest.param(b"\xff\xfe\n", "line 2: not a JSON object in UTF-8", id="no UTF-8"),
        pytest.param(
            b'["a"]\n', "line 2: expected an object with the keys id, vision, prompt, raw", id="list"
        ),
        pytest.param(b'{"id": "a"}\n', "line 2: expected an object with the keys", id="keys missing"),
        pytest.param(GOOD.replace(b"true", b'"yes"'), "line 2: 'vision' must be bool", id="wrong type"),
    ],
)
def test_damaged_line_is_named(tmp_path: Path, line: bytes, complaint: str) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(GOOD + line)
    with pytest.raises(UserError, match=complaint):
        read_predictions(path)


def test_options_must_be_strings(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"id": "a", "image": "i", "prompt": "p", "answer": "1", "options": [1, 2]}\n')
    with pytest.raises(UserError, match="'options' must be a list of strings"):
        read_questions(path)


def store_entry(store: Path, digest: str, metrics: dict[str, Any]) -> Path:
    """Lay out one evaluation as the store does."""
    folder = store / "evaluate" / digest
    folder.mkdir(parents=True)
    write_questions(folder / QUESTIONS_FILE, QUESTIONS)
    write_predictions(folder / PREDICTIONS_FILE, PREDICTIONS)
    benchmark = {"id": "colours", "matcher": "short", "metric": "accuracy", "cluster": "image", "source": "x"}
    manifest = {"recipe": {"benchmark": benchmark, "questions": 5, "seed": 0}, "metrics": metrics}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def expected() -> Score:
    return score(RULES, QUESTIONS, PREDICTIONS)


def test_rescore_needs_only_the_directory(tmp_path: Path, expected: Score) -> None:
    assert rescore.rescore(store_entry(tmp_path, "aa", {})) == expected


def test_rescoring_a_store(tmp_path: Path, expected: Score, capsys: pytest.CaptureFixture[str]) -> None:
    store_entry(tmp_path, "aa", {**expected.metrics(), "seconds": 3.0})
    store_entry(tmp_path, "bb", expected.metrics())
    assert rescore.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("same") == 2
    assert "2 evaluations scored again, 0 different" in out


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"score": 79.0}, "score stored 79, now 80"),
        ({"low": None}, "UNREADABLE"),
    ],
)
def test_a_stored_score_that_differs(
    tmp_path: Path,
    expected: Score,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    complaint: str,
) -> None:
    store_entry(tmp_path, "aa", {**expected.metrics(), **change})
    store_entry(tmp_path, "bb", expected.metrics())
    assert rescore.main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert complaint in out
    assert out.count("same") == 1


def test_a_metric_that_was_not_stored_differs(expected: Score) -> None:
    stored = expected.metrics()
    del stored["chance"]
    assert rescore.differences(stored, expected.metrics()) == ["chance not stored, now 30"]


def test_a_damaged_entry_does_not_hide_the_others(
    tmp_path: Path, expected: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    (store_entry(tmp_path, "aa", expected.metrics()) / PREDICTIONS_FILE).unlink()
    (store_entry(tmp_path, "ab", expected.metrics()) / "manifest.json").write_text("{")
    store_entry(tmp_path, "bb", expected.metrics())
    assert rescore.main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert out.count("UNREADABLE") == 2
    assert out.count("same") == 1


def test_a_folder_that_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rescore.main([str(tmp_path)]) == 2
    assert "no evaluations below" in capsys.readouterr().err


def test_scoring_needs_no_model_library() -> None:
    program = (
        "import sys, cambrian.benchmarks.rescore, cambrian.benchmarks.suite;"
        "print({'torch', 'transformers', 'ray', 'timm', 'cambrian.lab.questions'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
