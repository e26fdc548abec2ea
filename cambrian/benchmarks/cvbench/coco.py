"""COCO's instances: `instances_val2017.json` and the folder of its pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cambrian.benchmarks.cvbench.fields import (
    Record,
    as_box,
    as_record,
    read_lists,
    take,
    take_numbers,
    take_text,
    take_whole,
)
from cambrian.benchmarks.cvbench.listing import Faults, Ids, Picture, read_pictures
from cambrian.benchmarks.cvbench.scenes import Collection, Instance, Scene, clip

SOURCE = "COCO"
_LISTS = ("images", "annotations", "categories")


def read_coco(file: Path, pictures: Path) -> Collection:
    """Read instances in COCO's format.

    A picture with an annotation that cannot be read is left out, since its counts are not known. A category
    with a crowd (`iscrowd`) has no count in that picture.

    Raises:
        DataError: if the file as a whole is not in this format.
    """
    lists, faults = read_lists(file, _LISTS), Faults(file)
    categories = _read_categories(lists["categories"], faults)
    images = read_pictures(lists["images"], "file_name", pictures, faults)
    instances: dict[int, list[Instance]] = defaultdict(list)
    crowds: dict[int, set[str]] = defaultdict(set)
    spoilt: set[int] = set()
    for image, instance, crowd in _annotations(lists["annotations"], images, categories, faults):
        if instance is None:
            spoilt.add(image)
        elif crowd:
            crowds[image].add(instance.category)
        else:
            instances[image].append(instance)
    scenes = tuple(
        Scene(
            source=SOURCE,
            dataset=f"{SOURCE} {file.stem}",
            name=picture.name,
            picture=picture.path,
            width=picture.width,
            height=picture.height,
            instances=tuple(sorted(instances[number], key=lambda one: (one.category, one.box))),
            unclear=frozenset(crowds[number]),
        )
        for number, picture in images.items()
        if number not in spoilt
    )
    return Collection(scenes=scenes, faults=tuple(faults.found))


def _read_categories(records: Sequence[object], faults: Faults) -> Mapping[int, str]:
    ids, found = Ids("category"), dict[int, str]()
    for place, given in enumerate(records):
        try:
            record = as_record(given)
            found[ids.take(record)] = take_text(record, "name")
        except ValueError as error:
            faults.add("category", place, error)
    return found


def _annotations(
    records: Sequence[object], images: Mapping[int, Picture], categories: Mapping[int, str], faults: Faults
) -> Iterator[tuple[int, Instance | None, bool]]:
    """Image, object (None if it cannot be read) and whether it is a crowd, of each annotation."""
    ids = Ids("annotation")
    for place, given in enumerate(records):
        image = None
        try:
            record = as_record(given)
            number = take_whole(record, "image_id")
            if number not in images:
                raise ValueError(f"of an image that is not in the file: {number}")
            image = number
            ids.take(record)
            instance, crowd = _instance(record, images[image], categories)
        except ValueError as error:
            faults.add("annotation", place, error)
            if image is not None:
                yield image, None, False
            continue
        yield image, instance, crowd


def _instance(record: Record, picture: Picture, categories: Mapping[int, str]) -> tuple[Instance, bool]:
    category = take_whole(record, "category_id")
    if category not in categories:
        raise ValueError(f"of a category that is not in the file: {category}")
    crowd = take(record, "iscrowd")
    if crowd not in (0, 1):
        raise ValueError(f"'iscrowd' is neither 0 nor 1: {crowd!r:.60}")
    left, top, width, height = take_numbers(record, "bbox", 4)
    box = clip(as_box(left, top, left + width, top + height), picture.width, picture.height)
    if box is None:
        raise ValueError(f"a box outside the picture: {left:g}, {top:g}, {width:g}, {height:g}")
    return Instance(category=categories[category], box=box), bool(crowd)
