"""ADE20K in full (release of January 2021): one JSON file with polygons beside each picture.

The segmentation masks of the scene parsing challenge (SceneParse150) do not tell one instance from the next,
and the release of 2016 has text files instead; neither is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from cambrian.benchmarks.cvbench.fields import (
    Record,
    as_box,
    as_numbers,
    as_record,
    take,
    take_path,
    take_text,
    take_whole,
)
from cambrian.benchmarks.cvbench.scenes import Box, Collection, Fault, Instance, Scene, clip
from cambrian.errors import DataError

SOURCE = "ADE20K"
_OTHER_ENCODING = "cp1252"
"""Of some of its files."""


def read_ade20k(folder: Path) -> Collection:
    """Read all pictures below `folder`, such as `ADE20K_2021_17_01/images/ADE/validation`.

    A category is the first of its synonyms (`car, auto, automobile`), as in the published questions. Parts of
    objects are none themselves: a category that also occurs as a part has no count in that picture, nor has
    a more general name (hypernym) of another object in it. A picture with an object that cannot be read is
    left out.

    Raises:
        DataError: if there is none.
    """
    files = sorted(folder.rglob("*.json"))
    if not files:
        raise DataError(
            f"{folder} holds no JSON files; name a folder of the full ADE20K (release 2021_17_01), such as "
            "images/ADE/validation: masks alone do not tell one object from the next"
        )
    scenes, faults = [], []
    for file in files:
        found = _read(file)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            scenes.append(found)
    return Collection(scenes=tuple(scenes), faults=tuple(faults))


def _read(file: Path) -> Scene | Fault:
    where, note = "the file", {}
    try:
        note = as_record(take(_load(file), "annotation"))
        height, width = _size(note)
        name, picture = take_path(note, "filename", file.parent)
        instances: list[Instance] = []
        unclear: set[str] = set()
        for place, given in enumerate(_as_list(take(note, "object"))):
            where = f"object {place}"
            record = as_record(given)
            category = _first(take_text(record, "name"))
            general = frozenset(_first(name) for name in _texts(record, "hypernym")) - {category}
            if take_whole(as_record(take(record, "parts")), "part_level") > 0:
                unclear.add(category)
                continue
            unclear |= general
            box = _box(as_record(take(record, "polygon")), width, height)
            instances.append(Instance(category=category, box=box, general=general))
    except (OSError, ValueError) as error:
        return Fault(file=str(file), record=where, reason=str(error))
    folder = note.get("folder")
    split = Path(folder).parts if isinstance(folder, str) else ()
    return Scene(
        source=SOURCE,
        dataset=" ".join([SOURCE, *(part for part in split if part in ("training", "validation"))]),
        name=name,
        picture=picture,
        width=width,
        height=height,
        instances=tuple(sorted(instances, key=lambda one: (one.category, one.box))),
        unclear=frozenset(unclear),
    )


def _load(file: Path) -> Record:
    content = file.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode(_OTHER_ENCODING)
    try:
        return as_record(json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error


def _size(note: Record) -> tuple[int, int]:
    size = take(note, "imsize")
    if not isinstance(size, list) or len(size) not in (2, 3):
        raise ValueError(f"'imsize' is not height, width and channels: {size!r:.60}")
    sides: Record = {"height": size[0], "width": size[1]}
    return take_whole(sides, "height", 1), take_whole(sides, "width", 1)


def _box(polygon: Record, width: int, height: int) -> Box:
    xs, ys = (as_numbers(_as_list(take(polygon, axis)), axis) for axis in ("x", "y"))
    if len(xs) != len(ys) or len(xs) < 3:
        raise ValueError(f"a polygon needs three corners or more: {len(xs)} x, {len(ys)} y")
    box = clip(as_box(min(xs), min(ys), max(xs), max(ys)), width, height)
    if box is None:
        raise ValueError(f"a polygon outside the picture: from {min(xs):g}, {min(ys):g}")
    return box


def _texts(record: Record, name: str) -> Iterable[str]:
    return (value for value in _as_list(take(record, name)) if isinstance(value, str) and value)


def _as_list(value: object) -> list[object]:
    """What was a list of one when the files were written is the value itself."""
    return value if isinstance(value, list) else [value]


def _first(synonyms: str) -> str:
    return synonyms.split(",")[0].strip()
