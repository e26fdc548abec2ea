"""Predictions are matched to questions by id, before anything is scored; never by their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cambrian.benchmarks.records import Prediction, Question
from cambrian.errors import UserError

_SHOWN = 10
"""Ids named in an error; the rest is counted."""


def pair_predictions(
    name: str, questions: Sequence[Question], predictions: Iterable[Prediction], visions: Sequence[bool]
) -> dict[tuple[str, bool], str]:
    """Raw answers by question id and vision, or an error about every id that is not there exactly once."""
    if not questions:
        raise UserError(f"{name}: there are no questions to score")
    asked = Counter(question.id for question in questions)
    raw: dict[tuple[str, bool], str] = {}
    given: Counter[tuple[str, bool]] = Counter()
    for prediction in predictions:
        given[prediction.id, prediction.vision] += 1
        raw[prediction.id, prediction.vision] = prediction.raw
    wanted = [(key, vision) for key in asked for vision in visions]
    faults = {
        "duplicate questions": [key for key, count in asked.items() if count > 1],
        "missing predictions": [_shown(key) for key in wanted if key not in given],
        "duplicate predictions": [_shown(key) for key, count in given.items() if count > 1],
        "predictions for unknown questions": [_shown(key) for key in given if key[0] not in asked],
        "unexpected predictions": [_shown(key) for key in given if key[0] in asked and key[1] not in visions],
    }
    lines = [f"  - {len(ids)} {what}: {list_some(ids)}" for what, ids in faults.items() if ids]
    if lines:
        raise UserError("\n".join([f"{name}: the predictions do not fit the questions; not scored:", *lines]))
    return raw


def _shown(key: tuple[str, bool]) -> str:
    return f"{key[0]} ({'with image' if key[1] else 'blind'})"


def list_some(ids: Sequence[str]) -> str:
    """Name the first ids, and count the rest."""
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
