"""Fields of annotation records, taken with a check of each; what is wrong is said in a few words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from cambrian.benchmarks.cvbench.scenes import Box
from cambrian.errors import DataError

Record = Mapping[str, Any]


def read_lists(path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    """Read a JSON object that holds lists of these names.

    Raises:
        DataError: if it does not.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error
    lacking = [
        name for name in names if not isinstance(content, dict) or not isinstance(content.get(name), list)
    ]
    if lacking:
        raise DataError(
            f"{path} must be an object with the lists {', '.join(names)}; not so: {', '.join(lacking)}"
        )
    return {name: content[name] for name in names}


def as_record(value: object) -> Record:
    """Take a JSON object.

    Raises:
        ValueError: if it is none, as of all functions here.
    """
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object: {value!r:.60}")
    return value


def take(record: Record, name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Take a field that has to be there."""
    if name not in record:
        raise ValueError(f"no field '{name}'")
    return record[name]


def take_text(record: Record, name: str) -> str:
    """Take a text that is not empty."""
    value = take(record, name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"'{name}' is no text: {value!r:.60}")
    return value.strip()


def take_whole(record: Record, name: str, least: int = 0) -> int:
    """Take a whole number."""
    value = take(record, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"'{name}' is no whole number from {least}: {value!r:.60}")
    return value


def take_number(record: Record, name: str) -> float:
    """Take a finite number."""
    return as_numbers([take(record, name)], name)[0]


def take_numbers(record: Record, name: str, count: int) -> list[float]:
    """Take a list of that many finite numbers."""
    return _list(take(record, name), name, count)


def take_points(record: Record, name: str, count: int) -> tuple[tuple[float, ...], ...]:
    """Take a list of that many points in space."""
    value = take(record, name)
    if not isinstance(value, list) or len(value) != count:
        raise ValueError(f"'{name}' is no list of {count} points: {value!r:.60}")
    return tuple(tuple(_list(point, name, 3)) for point in value)


def take_path(record: Record, name: str, folder: Path) -> tuple[str, Path]:
    """Take the name of a file below `folder`: as it stands, and where that is."""
    value = take_text(record, name)
    parts = PurePosixPath(value).parts
    if value.startswith("/") or ".." in parts:
        raise ValueError(f"'{name}' leads out of the folder of pictures: {value!r:.60}")
    return value, folder.joinpath(*parts)


def as_box(left: float, top: float, right: float, bottom: float) -> Box:
    """Take the sides of a box that covers something."""
    if not (left < right and top < bottom):
        raise ValueError(f"a box without area: {left:g}, {top:g}, {right:g}, {bottom:g}")
    return left, top, right, bottom


def as_numbers(values: Sequence[object], name: str) -> list[float]:
    """Take finite numbers, of which messages speak as `name`."""
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"'{name}' holds no finite number: {value!r:.60}")
        found.append(float(value))
    return found


def _list(value: object, name: str, count: int) -> list[float]:
    if not isinstance(value, list) or len(value) != count:
        raise ValueError(f"'{name}' is no list of {count} numbers: {value!r:.60}")
    return as_numbers(value, name)
