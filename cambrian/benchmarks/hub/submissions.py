"""Answers in the form that a benchmark's own server or scorer takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cambrian.benchmarks.records import Prediction

SUBMISSION_FILE = "submission.json"

Form = Callable[[list[tuple[str, str]]], list[dict[str, Any]] | dict[str, str]]
"""From (id of a question, answer) to what the file holds."""


def write_submission(folder: Path, benchmark: str, predictions: Iterable[Prediction]) -> None:
    """Write the answers that were given with the picture."""
    said = [(one.id, one.raw.strip()) for one in predictions if one.vision]
    content = json.dumps(FORMS[benchmark](said), ensure_ascii=False, indent=1)
    # A lone surrogate has no form in UTF-8; in JSON it has.
    (folder / SUBMISSION_FILE).write_bytes(content.encode("utf-8", "backslashreplace") + b"\n")


def _numbered(key: str) -> Form:
    """A list of objects; ids of questions are whole numbers."""
    return lambda said: [{key: int(name), "answer": answer} for name, answer in said]


FORMS: Mapping[str, Form] = {
    # https://rrc.cvc.uab.es: ST-VQA under "Scene Text VQA", the others under "Document VQA".
    "stvqa": _numbered("question_id"),
    "docvqa_test": _numbered("questionId"),
    "infovqa_test": _numbered("questionId"),
    # The scorer of MM-Vet (Yu et al. 2023) reads one object of answers by id.
    "mmvet": dict,
}
"""By benchmark."""
