"""Omni3D: `Hypersim_test.json`, `SUNRGBD_test.json`, ... and the folder that its file paths begin in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cambrian.benchmarks.cvbench.cuboids import Cuboid
from cambrian.benchmarks.cvbench.fields import (
    Record,
    as_record,
    read_lists,
    take,
    take_number,
    take_numbers,
    take_points,
    take_text,
    take_whole,
)
from cambrian.benchmarks.cvbench.listing import Faults, Ids, Picture, read_pictures
from cambrian.benchmarks.cvbench.rules import Rules
from cambrian.benchmarks.cvbench.scenes import Box, Collection, Fault, Instance, Scene, clip

SOURCE = "Omni3D"
DEPTH_ERROR = 0.5
"""Metres between the depth map and the box, from which on Omni3D's own evaluation ignores an object."""
CENTRE_TOLERANCE = 0.05
"""Metres between `center_cam` and the middle of the corners; beyond, one of the two is wrong."""
_BOXES = ("bbox2D_tight", "bbox2D_trunc", "bbox2D_proj")
"""From the one that follows what is seen to the one that is computed from the box in space."""


def read_omni3d(files: Sequence[Path], pictures: Path, rules: Rules) -> Collection:
    """Read files in Omni3D's format.

    An object is used if Omni3D's own evaluation does not ignore it and `rules` find it visible enough. One
    that cannot be read is left out alone: no question is about how many there are.

    Raises:
        DataError: if a file as a whole is not in this format.
    """
    scenes: list[Scene] = []
    faults: list[Fault] = []
    for file in sorted(files):
        noted = Faults(file)
        scenes += _read(file, pictures, rules, noted)
        faults += noted.found
    return Collection(scenes=tuple(scenes), faults=tuple(faults))


def _read(file: Path, pictures: Path, rules: Rules, faults: Faults) -> list[Scene]:
    lists, ids = read_lists(file, ("images", "annotations")), Ids("annotation")
    images = read_pictures(lists["images"], "file_path", pictures, faults)
    instances: dict[int, list[Instance]] = defaultdict(list)
    for place, given in enumerate(lists["annotations"]):
        try:
            record = as_record(given)
            ids.take(record)
            image = take_whole(record, "image_id")
            if image not in images:
                raise ValueError(f"of an image that is not in the file: {image}")
            found = _instance(record, images[image], rules)
        except ValueError as error:
            faults.add("annotation", place, error)
            continue
        instances[image] += [] if found is None else [found]
    return [
        Scene(
            source=SOURCE,
            dataset=f"{SOURCE}_{file.stem.split('_')[0]}",
            name=picture.name,
            picture=picture.path,
            width=picture.width,
            height=picture.height,
            instances=tuple(sorted(instances[number], key=lambda one: (one.category, one.box))),
        )
        for number, picture in images.items()
    ]


def _instance(record: Record, picture: Picture, rules: Rules) -> Instance | None:
    """The object of an annotation; None if nothing may be asked about it."""
    category = take_text(record, "category_name")
    if _is_ignored(record, rules):
        return None
    box = _box(record, picture)
    if box is None:
        return None
    cuboid = Cuboid(take_points(record, "bbox3D_cam", 8))
    if np.abs(cuboid.centre - take_numbers(record, "center_cam", 3)).max() > CENTRE_TOLERANCE:
        raise ValueError("'center_cam' is not the middle of 'bbox3D_cam'")
    return Instance(category=category, box=box, cuboid=cuboid)


def _is_ignored(record: Record, rules: Rules) -> bool:
    """Whether Omni3D's evaluation ignores the object, or too little of it is seen; -1 stands for unknown."""
    flags = [take(record, name) for name in ("valid3D", "behind_camera")]
    if not all(flag in (0, 1, -1) for flag in flags):
        raise ValueError(f"'valid3D' or 'behind_camera' is no flag: {flags!r:.60}")
    if flags[0] != 1 or flags[1] == 1 or min(take_numbers(record, "dimensions", 3)) <= 0:
        return True
    points = [take_number(record, name) for name in ("lidar_pts", "segmentation_pts")]
    visibility, truncation = (take_number(record, name) for name in ("visibility", "truncation"))
    return (
        0 in points
        or take_number(record, "depth_error") > DEPTH_ERROR
        or 0 <= visibility < rules.min_visibility
        or truncation > rules.max_truncation
    )


def _box(record: Record, picture: Picture) -> Box | None:
    """The first of the boxes in the plane that is there, as far as it is inside the picture."""
    for name in _BOXES:
        left, top, right, bottom = take_numbers(record, name, 4)
        if (left, top, right, bottom) != (-1, -1, -1, -1):
            return clip((left, top, right, bottom), picture.width, picture.height)
    return None
