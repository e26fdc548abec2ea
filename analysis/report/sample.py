"""A bounded sample of questions with what every model answered, for looking at pairs of models.

The questions are those on which the models differ most: with about as many right as wrong answers. That makes
them good to look at and no basis for numbers, which always come from all questions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.report.entries import Entries, Entry
from analysis.units import Credits
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Question,
    read_predictions,
    read_questions,
)

MOST_QUESTIONS = 600
"""In a report, of all benchmarks together."""
MOST_PER_BENCHMARK = 40
MOST_ANSWERS = 90_000
"""Questions times models, in a report."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One question, and what each of R models said."""

    question: Question
    credits: tuple[float, ...]
    """Of the question, or of the group that it is only right in, R."""
    sighted: tuple[str, ...]
    """Raw text with the image, R."""
    blind: tuple[str | None, ...]
    """Raw text without it, R; none of a model that was not asked so."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Questions of one benchmark that models answered differently."""

    credits: Credits
    evaluation: Entry
    """One of those that asked them; it says how."""
    answers: tuple[Answers, ...]
    """The questions on which models differ most first."""


def room_for(groups: int, models: int) -> int:
    """Say how many questions of each of `groups` sets a report of so many models has room for."""
    total = min(MOST_QUESTIONS, MOST_ANSWERS // max(models, 1))
    return min(MOST_PER_BENCHMARK, total // max(groups, 1))


def read_sample(credits: Credits, digests: Mapping[str, str], entries: Entries, room: int) -> Sample:
    """Take up to `room` questions that `credits` tell models apart by.

    Args:
        credits: of all models on the benchmark.
        digests: digest of a model -> that of its evaluation.
        entries: the store.
        room: the most questions; those of one group count each and come together.

    Raises:
        DataError: if files of an evaluation are missing or damaged.
    """
    evaluations = [entries.by_digest[digests[run]] for run in credits.runs]
    questions = read_questions(evaluations[0].place / QUESTIONS_FILE)
    chosen = _choose(credits, questions, room)
    numbers = {question.id: number for number, question in enumerate(questions)}
    wanted = {question.id: numbers[question.id] for question, _ in chosen}
    said = [_read_answers(entry.place / PREDICTIONS_FILE, wanted, len(questions)) for entry in evaluations]
    return Sample(
        credits=credits,
        evaluation=evaluations[0],
        answers=tuple(
            Answers(
                question=question,
                credits=tuple(float(credit) for credit in credits.sighted[:, unit]),
                sighted=tuple(one[question.id, True] for one in said),
                blind=tuple(one.get((question.id, False)) for one in said),
            )
            for question, unit in chosen
        ),
    )


def _choose(credits: Credits, questions: Sequence[Question], room: int) -> list[tuple[Question, int]]:
    """Questions with the number of their units, units of the largest variance among models first."""
    names = {str(name): number for number, name in enumerate(credits.units)}
    members: dict[int, list[Question]] = {}
    for question in questions:
        together = f"{question.part}/{question.group}" if question.part else question.group
        unit = names.get(question.id, names.get(together))
        if unit is not None:
            members.setdefault(unit, []).append(question)
    variance = np.var(credits.sighted.astype(np.float64), axis=0)
    ordered = sorted(members, key=lambda unit: (-round(float(variance[unit]), 6), str(credits.units[unit])))
    chosen: list[tuple[Question, int]] = []
    for unit in ordered:
        if variance[unit] > 0 and len(chosen) + len(members[unit]) <= room:
            chosen += [(question, unit) for question in members[unit]]
    return chosen


def _read_answers(path: Path, wanted: Mapping[str, int], count: int) -> dict[tuple[str, bool], str]:
    """Raw answers to the `wanted` questions (id -> place among `count`), with and without the image.

    Files hold all answers with the image, then all without, in the order of the questions. Only the lines
    that are wanted are parsed where that is so; if it is not, all are.
    """
    lines = path.read_bytes().split(b"\n")
    found: dict[tuple[str, bool], str] = {}
    for name, place in wanted.items():
        for vision, number in ((True, place), (False, count + place)):
            record = _parse(lines[number]) if number < len(lines) else {}
            if (record.get("id"), record.get("vision")) != (name, vision):
                return {(one.id, one.vision): one.raw for one in read_predictions(path) if one.id in wanted}
            found[name, vision] = str(record["raw"])
    return found


def _parse(line: bytes) -> dict[str, Any]:
    """One line as JSON; nothing for a line that is not, which whoever reads all of them will name."""
    try:
        return json.loads(line)
    except ValueError:
        return {}
