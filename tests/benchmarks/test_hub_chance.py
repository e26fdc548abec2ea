"""Chance is what guessing gives: the formula against ten thousand guesses of every question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hub_fixtures import write_benchmark

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.material import open_hub_material
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB
from cambrian.benchmarks.records import Prediction, Question
from cambrian.benchmarks.scoring import score
from cambrian.runtime import Runtime

DRAWS = 10_000
COPIES = 50
"""Of each fixture: the mean over more questions is told more exactly."""
CLOSED = [name for name, row in HUB.items() if row.options != "open"]


def several(row: HubBenchmark, data: Path) -> list[Question]:
    """The questions of a fixture, many times over."""
    write_benchmark(data / "benchmarks" / row.id, row.id, row.data.split)
    content = fingerprint(data / "benchmarks" / row.id)
    asked = open_hub_material(row, Runtime(store=data / "store", data=data), content=content, n=0, seed=0)
    return [
        replace(
            question,
            id=f"{copy} {question.id}",
            image=f"{copy} {question.image}",
            group=question.group and f"{copy} {question.group}",
        )
        for copy in range(COPIES)
        for question in asked.questions
    ]


def guesses(row: HubBenchmark, questions: list[Question]) -> np.ndarray:
    """Whether each guess is right: bool (draws, questions); what has no options is never guessed."""
    rng = np.random.default_rng(0)
    counts = np.array([len(q.options) or (2 if row.matcher == "yes_no" else 0) for q in questions])
    guessed = np.floor(rng.random((DRAWS, len(questions)), dtype=np.float32) * np.maximum(counts, 1))
    return (guessed == 0) & (counts > 0)


def by(names: list[str], right: np.ndarray, reduce: np.ufunc | None) -> np.ndarray:
    """Mean, or whether all are right, over the questions of each name: (draws, names)."""
    known = sorted(set(names))
    columns = [right[:, [index for index, name in enumerate(names) if name == one]] for one in known]
    kept = [column.mean(axis=1) if reduce is None else reduce.reduce(column, axis=1) for column in columns]
    return np.stack(kept, axis=1)


def total(row: HubBenchmark, questions: list[Question], right: np.ndarray) -> float:
    """The benchmark's number of all draws."""
    parts, groups = [q.part for q in questions], [q.group for q in questions]
    if row.metric in ("pairs", "circular"):
        return 100 * float(by(groups, right, np.logical_and).mean())
    if row.metric == "mean_of_parts":
        return 100 * float(by(parts, right, None).mean())
    if row.metric == "mme":
        values = 0.0
        for part in set(parts):
            own = [index for index, name in enumerate(parts) if name == part]
            pairs = by([groups[index] for index in own], right[:, own], np.logical_and)
            values += 100 * float(right[:, own].mean() + pairs.mean())
        return values
    return 100 * float(right.mean())


@pytest.mark.parametrize("name", CLOSED)
def test_chance_is_what_guessing_gives(name: str, tmp_path: Path) -> None:
    row = HUB[name]
    questions = several(row, tmp_path)
    blank = [
        Prediction(id=question.id, vision=vision, prompt="", raw="")
        for question in questions
        for vision in (True, False)
    ]
    found = score(row, questions, blank).chance
    points = 20 if row.metric == "mme" else 1
    assert abs(found - total(row, questions, guesses(row, questions))) / points < 0.2
