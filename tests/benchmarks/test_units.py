"""The credits in a file sum up to the score, for every metric; what a unit is; damaged files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cambrian.benchmarks import rescore
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    Question,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import Rules, Score, score
from cambrian.benchmarks.totals import METRICS
from cambrian.benchmarks.units import UNITS_FILE, read_units, score_of, units_table, write_units
from cambrian.errors import DataError

WORDS = ("station", "stations", "nation", "stop")
PEOPLE = ("station",) * 2 + ("stations",) * 3 + ("stop",) * 5


def asked(metric: str) -> list[Question]:
    """Twelve pairs in two parts of unequal size, two questions about each picture."""
    several = PEOPLE if metric == "vqa_accuracy" else ()
    return [
        Question(
            id=f"q{index}",
            image=f"picture{index // 4}",
            prompt="",
            answer=several[0] if several else ("A", "B")[index % 2],
            options=() if several else ("dog", "cat"),
            answers=several,
            group=f"pair{index // 2}",
            part="large" if index < 16 else "small",
        )
        if metric not in ("anls", "relaxed_accuracy", "contains", "f1_yes", "mme")
        else Question(
            id=f"q{index}",
            image=f"picture{index // 4}",
            prompt="",
            answer=("yes", "no")[index % 2] if metric in ("f1_yes", "mme") else WORDS[index % 4],
            options=(),
            group=f"pair{index // 2}",
            part="large" if index < 16 else "small",
        )
        for index in range(24)
    ]


MATCHERS = dict.fromkeys(("anls", "relaxed_accuracy", "contains", "vqa_accuracy"), "text")
MATCHERS |= dict.fromkeys(("f1_yes", "mme"), "yes_no")


def scored(metric: str) -> tuple[Rules, list[Question], list[Prediction], Score]:
    generator = np.random.default_rng(3)
    questions = asked(metric)
    rules = Rules(id="mine", matcher=MATCHERS.get(metric, "choice"), metric=metric, cluster="image")
    said = {"text": WORDS, "yes_no": ("yes", "no"), "choice": ("A", "B")}[rules.matcher]
    predictions = [
        Prediction(
            id=question.id,
            vision=vision,
            prompt="",
            raw=question.answer if generator.random() < 0.6 else str(generator.choice(said)),
        )
        for vision in (True, False)
        for question in questions
    ]
    return rules, questions, predictions, score(rules, questions, predictions)


@pytest.mark.parametrize("metric", METRICS)
def test_the_credits_sum_up_to_the_score(metric: str, tmp_path: Path) -> None:
    rules, questions, _, expected = scored(metric)
    assert 0.0 < expected.score != expected.blind > 0.0
    write_units(tmp_path / UNITS_FILE, units_table(rules, questions, expected))
    table = read_units(tmp_path / UNITS_FILE)
    assert score_of(table) == pytest.approx(expected.score, abs=1e-4)
    assert score_of(table, "blind") == pytest.approx(expected.blind, abs=1e-4)
    assert sum(table["weight"].to_pylist()) == pytest.approx(1.0)
    assert len(set(table["unit"].to_pylist())) == table.num_rows
    assert table.schema.metadata == {b"full": b"400.0" if metric == "mme" else b"100.0"}


@pytest.mark.parametrize(
    ("metric", "rows", "first", "weights"),
    [
        ("accuracy", 24, ("q0", "picture0", "large"), {1 / 24}),
        ("mean_of_parts", 24, ("q0", "picture0", "large"), {1 / 32, 1 / 16}),
        ("pairs", 12, ("large/pair0", "picture0", "large"), {1 / 12}),
        ("circular", 12, ("large/pair0", "picture0", "large"), {1 / 12}),
        ("mme", 12, ("large/pair0", "large/pair0", "large"), {1 / 16, 1 / 8}),
    ],
)
def test_what_a_unit_is(metric: str, rows: int, first: tuple[str, ...], weights: set[float]) -> None:
    rules, questions, _, expected = scored(metric)
    table = units_table(rules, questions, expected)
    assert table.num_rows == rows
    assert tuple(table.to_pylist()[0][name] for name in ("unit", "cluster", "part")) == first
    assert set(table["weight"].to_pylist()) == weights


def test_equal_tables_are_equal_bytes(tmp_path: Path) -> None:
    rules, questions, _, expected = scored("anls")
    for name in ("one", "two"):
        write_units(tmp_path / name, units_table(rules, questions, expected))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_no_table_of_units(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"units\.arrow.*No such file"):
        read_units(tmp_path / UNITS_FILE)
    (tmp_path / UNITS_FILE).write_bytes(b"ARROW1, but not really")
    with pytest.raises(DataError, match="Not an Arrow file"):
        read_units(tmp_path / UNITS_FILE)
    write_units(tmp_path / UNITS_FILE, pa.table({"unit": ["a"], "credit": [1.0]}))
    with pytest.raises(DataError, match="no table of units; it has the columns unit, credit"):
        read_units(tmp_path / UNITS_FILE)


def entry(store: Path) -> Path:
    folder = store / "evaluate" / "aa"
    folder.mkdir(parents=True)
    rules, questions, predictions, expected = scored("mme")
    write_questions(folder / QUESTIONS_FILE, questions)
    write_predictions(folder / PREDICTIONS_FILE, predictions)
    write_units(folder / UNITS_FILE, units_table(rules, questions, expected))
    recipe = {"id": "mine", "matcher": rules.matcher, "metric": rules.metric, "cluster": rules.cluster}
    (folder / "manifest.json").write_text(
        json.dumps({"recipe": {"benchmark": recipe}, "metrics": expected.metrics()})
    )
    return folder


def test_rescoring_holds_the_units_against_the_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = entry(tmp_path)
    assert rescore.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("same")
    table = read_units(folder / UNITS_FILE)
    credits = pa.array([0.0, *table["sighted"].to_pylist()[1:]], pa.float32())
    write_units(folder / UNITS_FILE, table.set_column(4, "sighted", credits))
    lost = table["sighted"][0].as_py() * 400 / 16
    assert lost > 0
    assert rescore.main([str(tmp_path)]) == 1
    assert "DIFFERS: score of the units" in capsys.readouterr().out
    (folder / UNITS_FILE).unlink()
    assert rescore.main([str(tmp_path)]) == 0
    assert "same (older than units.arrow" in capsys.readouterr().out


def test_units_need_no_model_library() -> None:
    program = (
        "import sys, cambrian.benchmarks.units; print({'torch', 'transformers', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
