"""What a person decided about questions, and the data that come of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.benchmarks.cvbench.dataset import (
    REPORT,
    Row,
    check_question,
    picture_of,
    read_rows,
    write_rows,
)
from cambrian.benchmarks.cvbench.review import Item, list_items, name_data
from cambrian.benchmarks.cvbench.wording import prompt_of
from cambrian.directories import new_directory
from cambrian.errors import DataError

ACCEPTED, MODIFIED, REJECTED, UNREVIEWED = "accepted", "modified", "rejected", "unreviewed"
STATUSES = (ACCEPTED, MODIFIED, REJECTED)
"""The paper's three."""
DROP, KEEP = "drop", "keep"
POLICIES = (DROP, KEEP)
"""What becomes of questions without a decision."""
_CHANGED = ("question", "choices", "answer")
_MOST_TOLD = 20


@dataclass(frozen=True, kw_only=True)
class Decision:
    """About one question."""

    status: str
    changed: Mapping[str, Any]
    """The question, its options and its answer where it is modified; empty else."""


def apply_decisions(folder: Path, file: Path, out: Path, *, unreviewed: str = DROP) -> dict[str, int]:
    """Write the reviewed data into the new folder `out`; give how many questions had which status.

    Accepted questions stay as they are, modified ones get the words, options and answer that were typed,
    rejected ones are left out. What was not decided about is left out as well unless `unreviewed` is `keep`:
    the paper's benchmark consists of inspected questions alone. Questions keep their numbers.

    Raises:
        UserError: if `out` exists already.
        DataError: if the file holds no decisions about these data; all faults are listed.
    """
    items = list_items(folder, read_rows(folder))
    decisions = read_decisions(file, items)
    found = [decisions.get(item.key) for item in items]
    counts = Counter(UNREVIEWED if one is None else one.status for one in found)
    kept = [
        _decided(item.row, one)
        for item, one in zip(items, found, strict=True)
        if (unreviewed == KEEP if one is None else one.status != REJECTED)
    ]
    if not kept:
        raise DataError(f"{file} leaves no question of {folder}: {dict(counts)}")
    numbers = {status: counts[status] for status in (*STATUSES, UNREVIEWED)}
    with new_directory(out) as place:
        for row in kept:
            target = picture_of(place, row)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture_of(folder, row), target)
        write_rows(place, kept)
        report = {"reviewed": numbers, "unreviewed_are": "kept" if unreviewed == KEEP else "left out"}
        (place / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return numbers


def read_decisions(file: Path, items: Sequence[Item]) -> dict[str, Decision]:
    """Read what the page has written: key of a question -> decision.

    Raises:
        DataError: if it is about other data, or not in this form; all faults are listed.
    """
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}") from error
    given = content.get("decisions") if isinstance(content, dict) else None
    if not isinstance(given, dict):
        raise DataError(f"{file} is not what the review page writes: an object with 'data' and 'decisions'")
    known, faults = {item.key for item in items}, list[str]()
    if content.get("data") != name_data(items):
        strangers = len(set(given) - known)
        raise DataError(
            f"{file} is about other questions than these, {strangers} of its {len(given)} are not here; "
            "apply it to the folder whose page it is from"
        )
    found = {}
    for key, value in given.items():
        fault = "no question of these data" if key not in known else _fault_of(value)
        if fault:
            faults.append(f"{key}: {fault}")
        else:
            found[key] = Decision(
                status=value["status"],
                changed={name: value[name] for name in _CHANGED} if value["status"] == MODIFIED else {},
            )
    if faults:
        more = [f"... and {len(faults) - _MOST_TOLD} more"] if len(faults) > _MOST_TOLD else []
        listed = "\n  - ".join([*faults[:_MOST_TOLD], *more])
        raise DataError(f"{file}: {len(faults)} decisions cannot be read:\n  - {listed}")
    return found


def _fault_of(value: object) -> str:
    """What is wrong with a decision; empty if nothing is."""
    if not isinstance(value, dict) or value.get("status") not in STATUSES:
        return f"the status is none of {', '.join(STATUSES)}: {value!r:.60}"
    if value["status"] != MODIFIED:
        return ""
    return check_question(*(value.get(name) for name in _CHANGED))


def _decided(row: Row, decision: Decision | None) -> Row:
    if decision is None or not decision.changed:
        return row
    changed = {**row, **decision.changed}
    return {**changed, "prompt": prompt_of(changed["question"], changed["choices"])}
