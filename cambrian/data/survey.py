"""What is in a data set in LLaVA's format, found out once: its rows, and which of them cannot be used.

`python -m cambrian.data.survey` reads `{"sources": [PATH or ORGANISATION/NAME, ...], "download": BOOL}` and
prints what planning needs to know of each, as a JSON list.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from cambrian.data.corpora import JointCorpus, WithResponseFormat
from cambrian.data.images import Folder, Images
from cambrian.data.left_out import mark_of, read_left_out
from cambrian.data.llava_corpus import Fault, Inspection, LlavaCorpus, Table, inspect, is_still_wrong
from cambrian.data.places import content_of, find_place, shards, tables
from cambrian.data.rows import index_rows
from cambrian.data.tar_shards import open_shards
from cambrian.errors import DataError, leaving_on_user_error
from cambrian.user_cache import keep, kept

VERSION = 2
"""Of the rules by which rows are judged; raising it judges all again."""
SAMPLE_SEED = 0
"""Draws the rows where a recipe asks for a part of a data set: a smaller part is within a larger one."""
SHOWN = 3
"""Faults that a summary quotes."""


def open_place(place: Path) -> tuple[Table, Images]:
    """Open rows and images of a data set in whichever form it is.

    Raises:
        DataError: if it is missing, empty, or broken as a whole.
    """
    if place.is_dir() and (found := shards(place)):
        opened = open_shards(found)
        return opened, opened
    if place.is_dir() and (found := tables(place)):
        from cambrian.data.arrow import open_tables  # the library takes seconds, and few need it

        table = open_tables(found)
        return table, table
    return index_rows(place), Folder(place.parent)


def survey(place: Path) -> tuple[LlavaCorpus, Inspection]:
    """Judge the rows of a data set, or remember what was found before.

    A list of rows that the doctor found to leave out counts as well.
    What was found counts as long as the content is the same and no row that was left out for its missing
    image has become right.

    Returns:
        The corpus of all right rows, and what became of each row.

    Raises:
        DataError: if it is missing, empty, or broken as a whole.
    """
    rows, images = open_place(place)
    asked = json.dumps([VERSION, content_of(place), str(place.parent.resolve()), mark_of(place)])
    memo = kept("data", f"{hashlib.sha256(asked.encode()).hexdigest()}.json")
    memo.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{memo}.lock"):
        if memo.is_file():
            found = _inspection(len(rows), json.loads(memo.read_text()))
            if all(is_still_wrong(rows, images, fault) for fault in found.faults):
                return LlavaCorpus(rows, images, found.kept, place.name), found
        found = inspect(rows, images, read_left_out(place))
        keep(memo, json.dumps([[fault.row, fault.line, fault.reason, fault.place] for fault in found.faults]))
    return LlavaCorpus(rows, images, found.kept, place.name), found


def open_part(place: Path, *, content: str, left_out: str, examples: int) -> LlavaCorpus:
    """Open the data set that a recipe means: `examples` of its right rows, drawn by a fixed seed.

    Raises:
        DataError: if it, or which of its rows can be used, has changed since the run was planned.
    """
    corpus, found = survey(place)
    if content_of(place) != content or digest_of_faults(found) != left_out or len(corpus) < examples:
        raise DataError(
            f"{place} or its images have changed since this was planned; give the same command again"
        )
    return replace(corpus, kept=corpus.kept[draw(len(corpus), examples)])


def open_mixture(places: Sequence[Path], parts: Sequence[dict[str, Any]], examples: int) -> JointCorpus:
    """Open the mixture that a recipe means: `examples` rows of its parts, drawn by a fixed seed if not all.

    Raises:
        DataError: as `open_part`.
    """
    corpora = [
        WithResponseFormat(
            open_part(place, content=part["content"], left_out=part["left_out"], examples=part["examples"]),
            tuple(part.get("response_format", ())),
        )
        for place, part in zip(places, parts, strict=True)
    ]
    return JointCorpus(corpora, draw(sum(len(corpus) for corpus in corpora), examples))


def draw(count: int, examples: int) -> np.ndarray:
    """Draw `examples` of `count` numbers by the fixed seed, in ascending order: (examples,) int64."""
    if examples >= count:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(SAMPLE_SEED).permutation(count)[:examples])


def digest_of_faults(found: Inspection) -> str:
    """Hash of the numbers of the rows that are left out; empty if there are none."""
    numbers = " ".join(str(fault.row) for fault in found.faults)
    return hashlib.sha256(numbers.encode()).hexdigest() if numbers else ""


def summarize(place: Path, found: Inspection) -> str:
    """Say how many rows there are, how many are left out, why, and which come first."""
    count = len(found.kept) + len(found.faults)
    if not found.faults:
        return f"{place.name}: {count:,} rows, all can be used"
    kinds = Counter(fault.kind for fault in found.faults)
    reasons = "; ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
    first = "; ".join(str(fault) for fault in found.faults[:SHOWN])
    return f"{place.name}: {count:,} rows, {len(found.faults):,} left out ({reasons}), first {first}"


def describe(source: str, download: bool) -> dict[str, Any]:
    """Say what planning needs to know of a data set, given by its path or its name on the hub.

    Raises:
        DataError: if it is not there, or has no row that can be used.
    """
    place = Path(source)
    if not place.is_absolute():
        if download:
            from cambrian.data.arrow import fetch  # the library takes seconds, and few need it

            fetch(source)
        found_place = find_place(None, source)
        if found_place is None:
            raise DataError(
                f"the data set '{source}' is not in the cache of Hugging Face's library; "
                "runtime.download=true fetches it"
            )
        place = found_place
    _, found = survey(place)
    if not len(found.kept):
        raise DataError(f"no row can be used: {summarize(Path(source), found)}")
    return {
        "content": content_of(place),
        "usable": len(found.kept),
        "faulty": len(found.faults),
        "left_out": digest_of_faults(found),
        "summary": summarize(Path(source), found),
        "file": str(place),
    }


def main() -> None:
    """Answer one request."""
    with leaving_on_user_error():
        asked = json.load(sys.stdin)
        print(json.dumps([describe(source, asked["download"]) for source in asked["sources"]]))


def _inspection(count: int, faults: list[tuple[int, int, str, str]]) -> Inspection:
    wrong = np.array([row for row, *_ in faults], np.int64)
    return Inspection(
        kept=np.delete(np.arange(count, dtype=np.int64), wrong),
        faults=tuple(
            Fault(row=row, line=line, reason=reason, place=place) for row, line, reason, place in faults
        ),
    )


if __name__ == "__main__":
    main()
