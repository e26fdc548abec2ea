"""Rows that are left out besides those that are wrong by themselves: a file beside the data set says which.

`python -m cambrian.data.doctor` writes it; every training run on the data set follows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from cambrian.data.places import content_of
from cambrian.errors import DataError
from cambrian.local_weights import checksum

ENDING = ".left_out.json"


def list_of(place: Path) -> Path:
    """Where the list of a data set is, if it has one."""
    return place.with_name(f"{place.stem if place.is_file() else place.name}{ENDING}")


def read_left_out(place: Path) -> dict[int, str]:
    """Row -> why it is left out; empty without a list.

    Raises:
        DataError: if the list is of another content, or cannot be read.
    """
    path = list_of(place)
    if not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text())
        rows = {int(row): str(reason) for row, reason in said["rows"].items()}
        content = said["content"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not what the doctor writes; remove it, or let the doctor write it"
        ) from error
    if content != content_of(place):
        raise DataError(
            f"{path} is about another content of {place.name}; remove it, or let the doctor look again: "
            f"python -m cambrian.data.doctor {place} --write"
        )
    return rows


def write_left_out(place: Path, rows: Mapping[int, str]) -> Path:
    """Write which rows of a data set are left out and why."""
    path = list_of(place)
    said = {"content": content_of(place), "rows": {str(row): rows[row] for row in sorted(rows)}}
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(json.dumps(said, indent=1) + "\n")
    draft.replace(path)
    return path


def mark_of(place: Path) -> str:
    """Hash of the list; empty without one."""
    path = list_of(place)
    return checksum(path) if path.is_file() else ""
