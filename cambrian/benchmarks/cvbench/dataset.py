"""The published form of CV-Bench, in a folder that evaluations find with `data=FOLDER`.

FOLDER/benchmarks/cvbench_2d/test.jsonl     a line per question, columns as on the hub
FOLDER/benchmarks/cvbench_2d/img/2D/...     the pictures, by the column `image`
FOLDER/benchmarks/cvbench_3d/...            the same for the questions about space
FOLDER/report.json                          how it was made; no part of the benchmark
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cambrian.benchmarks.cvbench.drafts import Draft
from cambrian.benchmarks.cvbench.pictures import show
from cambrian.benchmarks.cvbench.rules import KINDS
from cambrian.benchmarks.cvbench.wording import letter_of, prompt_of
from cambrian.benchmarks.hub.places import FOLDER
from cambrian.benchmarks.hub.prompts import LETTERS
from cambrian.errors import DataError

Row = Mapping[str, Any]

COLUMNS = (
    *("idx", "type", "task", "image", "question", "choices", "answer", "prompt", "filename", "source"),
    *("source_dataset", "source_filename", "target_class", "target_size", "bbox"),
)
"""In the order of the published data."""
PLACES: Mapping[str, str] = {"2D": "cvbench_2d", "3D": "cvbench_3d"}
"""Type of a question -> the benchmark that asks it."""
LINES = "test.jsonl"
REPORT = "report.json"


def write_questions(folder: Path, drafts: Sequence[Draft]) -> None:
    """Write questions and their pictures."""
    numbers: dict[tuple[str, str], int] = {}
    rows = []
    for index, draft in enumerate(drafts):
        content, suffix = show(draft.scene.picture, draft.frames)
        kind, group = KINDS[draft.task], _group(draft)
        number = numbers[draft.task, group] = numbers.get((draft.task, group), -1) + 1
        name = f"img/{kind}/{draft.task.lower()}/{group}_{number}{suffix}"
        path = place_of(folder, kind) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows.append(_row(draft, index, kind, name))
    write_rows(folder, rows)


def write_rows(folder: Path, rows: Iterable[Row]) -> None:
    """Write the lines, each to the benchmark that asks its type of question."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        line = json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False)
        lines.setdefault(row["type"], []).append(line + "\n")
    for kind, found in lines.items():
        path = place_of(folder, kind) / LINES
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(found), encoding="utf-8")


def read_rows(folder: Path) -> list[Row]:
    """Read all questions of a folder.

    Raises:
        DataError: if there are none, or if a line is not one that is written here; names the file and line.
    """
    files = [place_of(folder, kind) / LINES for kind in PLACES]
    rows = [row for file in files if file.is_file() for row in _rows_of(file)]
    if not rows:
        raise DataError(f"{folder} holds no questions; there is neither {files[0]} nor {files[1]}")
    return rows


def check_question(question: object, choices: object, answer: object) -> str:
    """Say what is wrong with a question, its options and its answer; empty if nothing is."""
    if not isinstance(question, str) or not question.strip():
        return f"the question is empty or no text: {question!r:.60}"
    if not isinstance(choices, list) or not 2 <= len(choices) <= len(LETTERS):
        return f"the options are no list of 2 to {len(LETTERS)}: {choices!r:.60}"
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        return f"an option is empty or no text: {choices!r:.60}"
    if len(set(choices)) < len(choices):
        return f"an option is there twice: {choices!r:.60}"
    if answer not in [letter_of(place) for place in range(len(choices))]:
        return f"the answer is none of (A) to {letter_of(len(choices) - 1)}: {answer!r:.60}"
    return ""


def place_of(folder: Path, kind: str) -> Path:
    """Where the questions of a type are."""
    return folder / FOLDER / PLACES[kind]


def picture_of(folder: Path, row: Row) -> Path:
    """Where the picture of a question is."""
    return place_of(folder, row["type"]) / row["image"]


def _group(draft: Draft) -> str:
    """The first part of a picture's name, as published: its source, of Omni3D with the data set."""
    scene = draft.scene
    return (scene.dataset if KINDS[draft.task] == "3D" else scene.source).lower().replace(" ", "_")


def _row(draft: Draft, index: int, kind: str, name: str) -> Row:
    return {
        "idx": index,
        "type": kind,
        "task": draft.task,
        "image": name,
        "question": draft.question,
        "choices": list(draft.choices),
        "answer": letter_of(draft.choices.index(draft.answer)),
        "prompt": prompt_of(draft.question, draft.choices),
        "filename": name,
        "source": draft.scene.source,
        "source_dataset": draft.scene.dataset,
        "source_filename": draft.scene.name,
        "target_class": None,
        "target_size": None,
        "bbox": [list(box) for box in draft.frames] or None,
    }


def _rows_of(file: Path) -> Iterator[Row]:
    for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
        if not line:
            continue
        where = f"{file}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where} is no JSON: {error}") from error
        if not isinstance(row, dict) or set(row) != set(COLUMNS):
            raise DataError(f"{where} has not the columns {', '.join(COLUMNS)}")
        fault = check_question(row["question"], row["choices"], row["answer"])
        if row["type"] not in PLACES or not isinstance(row["image"], str) or ".." in Path(row["image"]).parts:
            fault = fault or "its type or its image is none"
        if fault:
            raise DataError(f"{where}: {fault}")
        yield row
