"""What is in a data set in LLaVA's format, found out once: its rows, and which of them cannot be used.

`python -m cambrian.data.survey` reads `{"file": PATH}` and prints what planning needs to know, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from cambrian.data.llava_corpus import Fault, Inspection, LlavaCorpus, inspect, reason_against
from cambrian.data.rows import Rows, index_rows
from cambrian.errors import DataError, leaving_on_user_error
from cambrian.local_weights import checksum
from cambrian.user_cache import keep, kept

VERSION = 1
"""Of the rules by which rows are judged; raising it judges all again."""
SAMPLE_SEED = 0
"""Draws the rows where a recipe asks for a part of a data set: a smaller part is within a larger one."""
SHOWN = 3
"""Faults that a summary quotes."""


def survey(file: Path) -> tuple[Rows, Inspection]:
    """Judge the rows of `file`, whose images are beside it, or remember what was found before.

    What was found counts as long as the file is the same and no row that was left out has become right, such
    as by an image that came later.

    Raises:
        DataError: if the file is missing, empty or no array.
    """
    rows = index_rows(file)
    asked = json.dumps([VERSION, checksum(file), str(file.parent.resolve())])
    place = kept("data", f"{hashlib.sha256(asked.encode()).hexdigest()}.json")
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):
        if place.is_file():
            found = _inspection(len(rows), json.loads(place.read_text()))
            if all(reason_against(rows, fault.row, file.parent) for fault in found.faults):
                return rows, found
        found = inspect(rows, file.parent)
        keep(place, json.dumps([[fault.row, fault.line, fault.reason] for fault in found.faults]))
    return rows, found


def open_part(file: Path, *, content: str, left_out: str, examples: int) -> LlavaCorpus:
    """Open the data set that a recipe means: `examples` of its right rows, drawn by a fixed seed.

    Raises:
        DataError: if the file, or which of its rows can be used, has changed since the run was planned.
    """
    rows, found = survey(file)
    if checksum(file) != content or digest_of_faults(found) != left_out or len(found.kept) < examples:
        raise DataError(
            f"{file} or its images have changed since this was planned; give the same command again"
        )
    drawn = found.kept
    if examples < len(drawn):
        order = np.random.default_rng(SAMPLE_SEED).permutation(len(drawn))
        drawn = drawn[np.sort(order[:examples])]
    return LlavaCorpus(rows, file.parent, drawn)


def digest_of_faults(found: Inspection) -> str:
    """Hash of the numbers of the rows that are left out; empty if there are none."""
    numbers = " ".join(str(fault.row) for fault in found.faults)
    return hashlib.sha256(numbers.encode()).hexdigest() if numbers else ""


def summarize(file: Path, found: Inspection) -> str:
    """Say how many rows there are, how many are left out, why, and which come first."""
    count = len(found.kept) + len(found.faults)
    if not found.faults:
        return f"{file.name}: {count:,} rows, all can be used"
    kinds = Counter(fault.kind for fault in found.faults)
    reasons = "; ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
    first = "; ".join(str(fault) for fault in found.faults[:SHOWN])
    return f"{file.name}: {count:,} rows, {len(found.faults):,} left out ({reasons}), first {first}"


def main() -> None:
    """Answer one request."""
    with leaving_on_user_error():
        file = Path(json.load(sys.stdin)["file"])
        _, found = survey(file)
        if not len(found.kept):
            raise DataError(f"no row can be used: {summarize(file, found)}")
        facts: dict[str, Any] = {
            "content": checksum(file),
            "usable": len(found.kept),
            "faulty": len(found.faults),
            "left_out": digest_of_faults(found),
            "summary": summarize(file, found),
        }
        print(json.dumps(facts))


def _inspection(count: int, faults: list[tuple[int, int, str]]) -> Inspection:
    wrong = np.array([row for row, _, _ in faults], np.int64)
    return Inspection(
        kept=np.delete(np.arange(count, dtype=np.int64), wrong),
        faults=tuple(Fault(row=row, line=line, reason=reason) for row, line, reason in faults),
    )


if __name__ == "__main__":
    main()
