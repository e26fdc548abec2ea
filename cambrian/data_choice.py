"""Reading the choice of training data: the study's by name, or one's own (adapter=files, instruct=files)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.errand import ask
from cambrian.errors import UserError
from cambrian.recipe import Data
from cambrian.schema import read
from cambrian.sections import Sections

if TYPE_CHECKING:
    from cambrian.config import Notes

SUFFIXES = (".jsonl", ".json")


def read_data(
    notes: Notes,
    node: Mapping[str, Any],
    at: Sections,
    axis: str,
    real: bool,
    place: Path | None,
    tolerated: float,
) -> Data | None:
    """Read what a choice of the `axis` adapter or instruct says for a scale.

    Args:
        notes: takes what is wrong or missing.
        node: the choice.
        at: which sections the scale reads, and which part of the study's data sets it uses.
        axis: adapter or instruct.
        real: whether the scale has files at all; the lab has none.
        place: directory with the data sets of this machine.
        tolerated: largest part of a data set's rows that may be left out.
    """
    own = isinstance(node.get("source"), str)
    examples = node["examples"] if own else at.find(node["examples"])
    if (own and not real) or (not own and examples is None):
        notes.missing.append(f"{axis} '{node['name']}' does not exist at scale={at.scale}")
        return None
    if own and place is None:
        notes.faults.append(f"{axis}={node['name']} takes your own files: say where they are, data=DIRECTORY")
        return None
    source = node["source"] if own else at.find(node.get("source", {}))
    part = 1.0 if own else at.part_of(node["examples"])
    values = {"name": source if own else node["name"], "examples": examples or 0, "source": source}
    data = read(Data, values, axis, notes.faults)
    if data is None:
        return None
    if source is None or place is None or not (own or data.examples):
        return _part(data, part)
    try:
        return _part(_found(data, place, tolerated, own=own), part)
    except UserError as error:
        notes.faults.append(f"{axis} '{data.name}': {error}")
        return None


def _part(data: Data, part: float) -> Data:
    """Take a part of the examples; 0M has none of any."""
    return data if part == 1 else replace(data, examples=round(part * data.examples), part=part)


def files_of(data: Iterable[Data]) -> dict[str, str]:
    """Where the files of data sets are, by their content."""
    return {one.content: one.file for one in data if one.content}


def find_file(place: Path, source: str) -> Path | None:
    """Find the file of a data set in the directory of all of them."""
    return next((path for suffix in SUFFIXES if (path := place / f"{source}{suffix}").is_file()), None)


def _found(data: Data, place: Path, tolerated: float, *, own: bool) -> Data:
    """Name a data set by what its file holds, if there is such a file.

    Raises:
        UserError: if one's own is not there, or too many of its rows cannot be used.
    """
    assert data.source is not None
    file = find_file(place, data.source)
    if file is None:
        if not own:
            return data
        raise UserError(f"there is no {place / data.source}{' or '.join(SUFFIXES)}; name another source")
    facts = json.loads(_survey(str(file)))
    usable, faulty = facts["usable"], facts["faulty"]
    if faulty > tolerated * (usable + faulty):
        raise UserError(
            f"more than {tolerated:.1%} of the rows cannot be used: {facts['summary']}. Mend the file or its "
            "images, or allow more with data_faults=FRACTION"
        )
    return replace(
        data,
        examples=min(data.examples or usable, usable),
        content=facts["content"],
        left_out=facts["left_out"],
        file=str(file),
        summary=facts["summary"],
    )


@lru_cache(maxsize=64)
def _survey(file: str) -> str:
    return ask("cambrian.data.survey", json.dumps({"file": file}))
