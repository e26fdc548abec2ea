"""`python -m cambrian.data.doctor DATA [--against OTHER]`: what is wrong with a data set, with the evidence.

DATA is a file in LLaVA's format or another form of a data set; OTHER a directory of test images, or a second
data set. The exit code is 0 if nothing was found, 1 if something was, 2 if there was nothing to look at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.data.contact_sheet import PAIRS, draw_contact_sheet
from cambrian.data.doctor_report import print_report
from cambrian.data.examination import (
    Collection,
    Leak,
    Pictures,
    Row,
    find_copies,
    find_shared,
    list_pictures,
    open_collection,
    read_pictures,
    read_rows,
    repeated_ids,
)
from cambrian.data.images import Folder
from cambrian.data.left_out import write_left_out
from cambrian.data.lengths import Tokens, add_arguments, find_too_long, read_arguments
from cambrian.data.llava_corpus import Fault
from cambrian.errors import DataError, leaving_on_user_error

QUANTILES = (0, 0.5, 0.9, 0.99, 1)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What to look for besides what every data set is looked through for."""

    against: Path | None = None
    tokens: Tokens | None = None
    """How rows become tokens, to find those that are longer than the context."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found: the report, the rows to leave out, and pairs of images to look at."""

    report: Mapping[str, Any]
    left_out: Mapping[int, str]
    """Row -> reason, of those that only decoding or comparing shows."""
    leaks: Sequence[Leak]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that a person should look at."""
        found = self.report
        return not (
            found["faults"] or found["too_long"] or any(found["overlap"][k] for k in ("rows", "images"))
        )


def examine(place: Path, wishes: Wishes) -> Diagnosis:
    """Look through a data set.

    Raises:
        DataError: if there is nothing to look at.
    """
    collection = open_collection(place)
    if collection.rows is None:
        raise DataError(f"{place} is a directory without rows; name its .jsonl or .json file")
    rows, faults = read_rows(collection)
    pictures = read_pictures(collection, (row.image for row in rows if row.image))
    broken = _rows_of(
        rows, {name: f"the image {reason}: {name}" for name, reason in pictures.unreadable.items()}
    )
    overlap, leaks, leaking = _compare(collection, rows, pictures, wishes.against)
    too_long = find_too_long(collection, rows, wishes.tokens) if wishes.tokens else []
    faults = (*faults, *_faults(collection, broken))
    report = {
        "data": str(place),
        "rows": len(collection.rows),
        "usable": len(rows) - len(broken),
        "faults": [
            vars(fault) | {"kind": fault.kind} for fault in sorted(faults, key=lambda fault: fault.row)
        ],
        "kinds": dict(Counter(fault.kind for fault in faults).most_common()),
        "repeated_ids": repeated_ids(rows),
        "misnamed": dict(pictures.misnamed),
        "too_long": [vars(one) for one in too_long],
        "shares": _shares(rows, pictures),
        "lengths": _lengths(rows),
        "overlap": overlap,
    }
    return Diagnosis(report=report, left_out=broken | leaking, leaks=leaks)


def _compare(
    collection: Collection, rows: Sequence[Row], pictures: Pictures, against: Path | None
) -> tuple[dict[str, Any], Sequence[Leak], dict[int, str]]:
    """Compare with another data set or a directory of images: the report, copies, and rows to leave out.

    Rows whose image is in a directory of test images are left out; what two training sets share is only told.
    """
    if against is None:
        return {"with": None, "rows": [], "images": [], "same_images": 0, "rejected": 0}, [], {}
    other = open_collection(against)
    others = [] if other.rows is None else read_rows(other)[0]
    named = [row.image for row in others if row.image]
    names = set(list_pictures(other) if other.rows is None else named)
    here = isinstance(other.images, Folder) and other.images == collection.images
    same = names & set(pictures.names) if here else set[str]()
    names = sorted(names - same)
    leaks, rejected = find_copies(collection, pictures, other, read_pictures(other, names))
    leaking = _rows_of(rows, {leak.image: f"it shows a test image: {leak.wanted}" for leak in leaks})
    shared = [
        {"row": one.number, "id": one.id, "other_row": two.number} for one, two in find_shared(rows, others)
    ]
    report = {
        "with": str(against),
        "rows": shared,
        "images": [vars(leak) for leak in leaks],
        "same_images": len(same),
        "rejected": rejected,
    }
    return report, leaks, leaking if other.rows is None else {}


def _rows_of(rows: Sequence[Row], reasons: Mapping[str | None, str]) -> dict[int, str]:
    return {row.number: reasons[row.image] for row in rows if row.image in reasons}


def _faults(collection: Collection, reasons: Mapping[int, str]) -> list[Fault]:
    assert collection.rows is not None
    lines = collection.rows.lines(list(reasons))
    return [
        Fault(row=row, line=line, reason=reason)
        for (row, reason), line in zip(reasons.items(), lines, strict=True)
    ]


def _shares(rows: Sequence[Row], pictures: Pictures) -> dict[str, Any]:
    with_image = sum(row.image is not None for row in rows)
    answers = sum(row.turns for row in rows)
    return {
        "with_image": with_image,
        "text_only": len(rows) - with_image,
        "distinct_images": len(pictures.names) + len(pictures.unreadable),
        "turns": dict(sorted(Counter(row.turns for row in rows).items())),
        "short_answers": sum(row.short_answers for row in rows) / max(1, answers),
    }


def _lengths(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Words of a row's questions and answers: least, median, 90 %, 99 %, most."""
    if not rows:
        return {}
    words = {"questions": [row.question_words for row in rows], "answers": [row.answer_words for row in rows]}
    return {
        name: np.quantile(counts, QUANTILES, method="nearest").astype(int).tolist()
        for name, counts in words.items()
    }


def main() -> None:
    """Examine one data set as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m cambrian.data.doctor", description=__doc__)
    parser.add_argument("data", type=Path, help="a file in LLaVA's format, or the directory of another form")
    parser.add_argument("--against", type=Path, help="directory of test images, or another data set")
    add_arguments(parser)
    parser.add_argument(
        "--sheet", type=Path, default=Path("copies.png"), help="contact sheet of copied images"
    )
    parser.add_argument("--json", action="store_true", help="print all that was found as one JSON object")
    parser.add_argument(
        "--write", action="store_true", help="list what was found beside the data, to be left out"
    )
    given = parser.parse_args()
    with leaving_on_user_error():
        place = given.data.resolve()
        wishes = Wishes(
            against=given.against and given.against.resolve(),
            tokens=read_arguments(given),
        )
        found = examine(place, wishes)
        notes = _write(place, wishes, found, given.sheet, write=given.write)
        if given.json:
            print(json.dumps({**found.report, **notes}))
        else:
            print_report(found.report)
            for name, path in notes.items():
                print(f"{name.replace('_', ' ')}: {path}")
    sys.exit(0 if found.is_clean else 1)


def _write(place: Path, wishes: Wishes, found: Diagnosis, sheet: Path, *, write: bool) -> dict[str, str]:
    """Draw the contact sheet if there are copies, and list rows to leave out if that was asked for."""
    notes = {}
    if found.leaks and wishes.against is not None:
        first, second = open_collection(place), open_collection(wishes.against)
        pairs = [
            (
                first.load(leak.image),
                second.load(leak.wanted),
                leak.image,
                f"{leak.wanted} ({leak.bits} bits)",
            )
            for leak in found.leaks[:PAIRS]
        ]
        draw_contact_sheet(pairs, sheet)
        notes["contact_sheet"] = str(sheet)
    if write:
        notes["left_out"] = str(write_left_out(place, found.left_out))
    return notes


if __name__ == "__main__":
    main()
