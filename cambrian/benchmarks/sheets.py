"""A file of predictions with their questions: one JSON object per line, of one benchmark or several.

    {"id": "17", "benchmark": "mmvp", "prediction": "(B)", "answer": "B", "options": ["open", "closed"]}

`image`, `group`, `part`, `answers` and `prompt` are those of a `Question`; a line with `"vision": false` is
what the same model said without the image. An array of such objects is read as well.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.benchmarks.matchers import find_matcher
from cambrian.benchmarks.records import Prediction, Question
from cambrian.benchmarks.scoring import Rules
from cambrian.benchmarks.suite import BENCHMARKS
from cambrian.data.rows import index_rows, parse_json
from cambrian.errors import DataError, UserError, unknown_name

_NEEDED = ("id", "benchmark", "prediction")
_TEXTS = ("benchmark", "prediction", "answer", "prompt", "group", "part")
_NAMES = ("id", "image")
"""What may be a number, too."""
_LISTS = ("options", "answers")
_KNOWN = ("id", "benchmark", "prediction", "answer", "options", "image", "group", "part", "answers", "vision")
KEYS = (*_KNOWN, "prompt")
_MOST_OPTIONS = 26
"""A letter for each."""


@dataclass(kw_only=True)
class Sheet:
    """What a file holds of one benchmark."""

    rules: Rules
    questions: dict[str, Question] = field(default_factory=dict)
    """By id, in the order of their first lines."""
    predictions: list[Prediction] = field(default_factory=list)
    has_blind: bool = False
    """Whether any prediction was made without the image."""


def read_sheets(path: Path, matcher: str | None = None, metric: str | None = None) -> dict[str, Sheet]:
    """Read the predictions of a file, by benchmark.

    Benchmarks of the table are read as their rows say; `matcher` and `metric` are for all others.

    Raises:
        DataError: if the file has no rows or bad ones; all are listed with their lines.
        UserError: if there is no such matcher or metric, or if all benchmarks are known and need none.
    """
    given = None
    if matcher:
        # A question without the name of its picture is a picture of its own.
        given = Rules(id="", matcher=matcher, metric=metric or "accuracy", cluster="image")
    rows = index_rows(path)
    reader = _Reader(given)
    reasons: dict[int, str] = {}
    for number in range(len(rows)):
        try:
            reader.take(number, parse_json(rows.read(number)))
        except ValueError as fault:
            reasons[number] = str(fault)
    if reasons:
        listed = zip(rows.lines(list(reasons)), reasons.values(), strict=True)
        lines = [f"  line {line}: {reason}" for line, reason in listed]
        raise DataError("\n".join([f"{path}: {len(lines)} of {len(rows)} rows are bad; not scored:", *lines]))
    if given is not None and not set(reader.sheets) - set(BENCHMARKS):
        raise UserError(
            f"--matcher and --metric are for benchmarks that are not in the table; {path} has "
            f"{', '.join(reader.sheets)}, whose rows say how they are scored"
        )
    return reader.sheets


class _Reader:
    """Takes the rows of a file one by one."""

    def __init__(self, given: Rules | None) -> None:
        self.sheets: dict[str, Sheet] = {}
        self._given = given
        self._first: dict[tuple[str, str], int] = {}

    def take(self, number: int, row: object) -> None:
        """Add a row; ValueError says what is wrong with it."""
        record = _checked(row)
        name = record["benchmark"]
        if name not in self.sheets:
            self.sheets[name] = Sheet(rules=self._rules(name))
        sheet = self.sheets[name]
        question = _question(record, sheet.rules)
        known = sheet.questions.setdefault(question.id, question)
        first = self._first.setdefault((name, question.id), number)
        if known != question:
            fields = Question.__dataclass_fields__
            what = next(key for key in fields if getattr(known, key) != getattr(question, key))
            raise ValueError(f"'{what}' of question '{question.id}' is not what row {first + 1} says")
        vision = record.get("vision", True)
        sheet.has_blind |= not vision
        sheet.predictions.append(
            Prediction(id=question.id, vision=vision, prompt=question.prompt, raw=record["prediction"])
        )

    def _rules(self, name: str) -> Rules:
        if name in BENCHMARKS:
            if BENCHMARKS[name].unscored:
                raise ValueError(f"'{name}' has no score: {BENCHMARKS[name].unscored}")
            return BENCHMARKS[name]
        if self._given is None:
            raise ValueError(
                f"{unknown_name('benchmark', name, BENCHMARKS)}; of another one say how it is scored with "
                "--matcher and --metric"
            )
        rules = self._given
        return Rules(id=name, matcher=rules.matcher, metric=rules.metric, cluster=rules.cluster)


def _checked(row: object) -> Mapping[str, Any]:
    """The row with keys and types as they should be."""
    if not isinstance(row, dict):
        raise ValueError(f"not an object but {type(row).__name__}")
    for key in row:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            raise ValueError(f"unknown key '{key}'{f'; did you mean {near[0]!r}?' if near else ''}")
    record = {key: value for key, value in row.items() if value is not None}
    missing = [key for key in _NEEDED if key not in record]
    if missing or not ("answer" in record or record.get("answers")):
        raise ValueError(f"no {', '.join(missing) or 'answer'}")
    for key in _NAMES:
        if isinstance(record.get(key), int) and not isinstance(record[key], bool):
            record[key] = str(record[key])
    for key, value in record.items():
        if key in (*_TEXTS, *_NAMES) and not isinstance(value, str):
            raise ValueError(f"'{key}' must be a text, got {_shown(value)}")
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise ValueError(f"'{key}' must be a list of texts, got {_shown(value)}")
        if key == "vision" and not isinstance(value, bool):
            raise ValueError(f"'vision' must be true or false, got {_shown(value)}")
    for key in ("id", "benchmark"):
        if not record[key] or not _is_whole(record[key]):
            raise ValueError(f"'{key}' must be a text that can be shown, got {_shown(record[key])}")
    return record


def _question(record: Mapping[str, Any], rules: Rules) -> Question:
    """The question of a row, with its answer as a letter where there are options to choose from."""
    options, answers = tuple(record.get("options", ())), tuple(record.get("answers", ()))
    if len(options) > _MOST_OPTIONS:
        raise ValueError(f"{len(options)} options; there are letters for {_MOST_OPTIONS}")
    answer = record.get("answer", answers[0] if answers else "")
    matcher = find_matcher(rules.matcher)
    is_choice = rules.matcher == "choice" and bool(options)
    read = [matcher.wanted(one, options) for one in ((answer,) if is_choice else answers or (answer,))]
    if not any(read):
        among = f", options: {list(options)}" if options else ""
        raise ValueError(f"matcher '{matcher.name}' finds no answer in 'answer' ({_shown(answer)}{among})")
    if is_choice:
        answer = read[0] or answer
    return Question(
        id=record["id"],
        image=record.get("image", record["id"]),
        prompt=record.get("prompt", ""),
        answer=answer,
        options=options,
        group=record.get("group", ""),
        answers=answers,
        part=record.get("part", ""),
    )


def _is_whole(text: str) -> bool:
    """Whether it has a form in UTF-8; a lone surrogate has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
