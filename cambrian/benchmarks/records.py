"""Questions and predictions as files: one JSON object per line, UTF-8, from which a score can be repeated."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cambrian.errors import DataError

QUESTIONS_FILE = "questions.jsonl"
PREDICTIONS_FILE = "predictions.jsonl"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of a benchmark."""

    id: str
    image: str
    """Names the picture; questions about one picture are one cluster of the interval."""
    prompt: str
    answer: str
    options: tuple[str, ...]
    """All answers that guessing would choose from; empty for an open question."""
    group: str = ""
    """Questions that are only right together, such as a pair about two images or one question with its
    options in every order; empty where each stands for itself."""
    answers: tuple[str, ...] = ()
    """All accepted answers, `answer` first, as often as they were given; empty if there is no other."""
    part: str = ""
    """What the benchmark itself tells its questions apart by: a subtask, a source, a split."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model said, untouched."""

    id: str
    vision: bool
    """False when the model answered without the image."""
    prompt: str
    raw: str


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write one line per question."""
    _write(path, (_filled(question) for question in questions))


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write one line per prediction."""
    _write(path, (asdict(prediction) for prediction in predictions))


def read_questions(path: Path) -> list[Question]:
    """Read what `write_questions` wrote.

    Raises:
        DataError: if a line is no question; says which line and why.
    """
    kinds = {"id": str, "image": str, "prompt": str, "answer": str, "options": list}
    questions = []
    for where, record in _read(path, kinds, _MAY_LACK):
        for name in ("options", "answers"):
            values = record.get(name, [])
            if not all(isinstance(value, str) for value in values):
                raise DataError(f"{where}: '{name}' must be a list of strings, got {values!r}")
            record[name] = tuple(values)
        questions.append(Question(**record))
    return questions


def read_predictions(path: Path) -> list[Prediction]:
    """Read what `write_predictions` wrote.

    Raises:
        DataError: if a line is no prediction; says which line and why.
    """
    kinds = {"id": str, "vision": bool, "prompt": str, "raw": str}
    return [Prediction(**record) for _, record in _read(path, kinds)]


_MAY_LACK: dict[str, type] = {"group": str, "answers": list, "part": str}
"""What a question need not say, as most of the lab's do not."""


def _filled(question: Question) -> dict[str, Any]:
    record = asdict(question)
    return {name: value for name, value in record.items() if value or name not in _MAY_LACK}


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    with path.open("wb") as file:
        for record in records:
            line = json.dumps(record, ensure_ascii=False)
            # A lone surrogate has no UTF-8 form; the replacement is its JSON escape, so it reads back equal.
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")


def _read(
    path: Path, kinds: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    known = {**kinds, **(optional or {})}
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    # Only a newline byte ends a line: a model's answer may hold any other separator of Unicode.
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line:
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line.decode("utf-8"))
        except ValueError as error:
            raise DataError(f"{where}: not a JSON object in UTF-8 ({error})") from error
        if not isinstance(record, dict) or not set(kinds) <= set(record) <= set(known):
            raise DataError(f"{where}: expected an object with the keys {', '.join(kinds)}")
        for key, value in record.items():
            if not isinstance(value, known[key]):
                raise DataError(f"{where}: '{key}' must be {known[key].__name__}, got {value!r}")
        yield where, record
