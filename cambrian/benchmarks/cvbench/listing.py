"""What COCO's format and Omni3D's share: a list of pictures with ids, and records that may be wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cambrian.benchmarks.cvbench.fields import Record, as_record, take_path, take_whole
from cambrian.benchmarks.cvbench.scenes import Fault


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One entry of `images`."""

    name: str
    path: Path
    width: int
    height: int


@dataclass(frozen=True)
class Faults:
    """The records of one file that are not used."""

    file: Path
    found: list[Fault] = field(default_factory=list)

    def add(self, kind: str, place: int, error: ValueError) -> None:
        """Note what is wrong with the record at `place` of a list."""
        self.found.append(Fault(file=str(self.file), record=f"{kind} {place}", reason=str(error)))


class Ids:
    """Sees to it that an id occurs once."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._seen: set[int] = set()

    def take(self, record: Record) -> int:
        """Take the id of a record.

        Raises:
            ValueError: if another one had it.
        """
        number = take_whole(record, "id")
        if number in self._seen:
            raise ValueError(f"a second {self._kind} of this id: {number}")
        self._seen.add(number)
        return number


def read_pictures(
    records: Sequence[object], name_field: str, folder: Path, faults: Faults
) -> Mapping[int, Picture]:
    """Read `images`: id -> picture. The first one of an id is taken; the ids of the others are faults."""
    ids, found = Ids("image"), dict[int, Picture]()
    for place, given in enumerate(records):
        try:
            record = as_record(given)
            number = ids.take(record)
            name, path = take_path(record, name_field, folder)
            width, height = (take_whole(record, side, 1) for side in ("width", "height"))
            found[number] = Picture(name=name, path=path, width=width, height=height)
        except ValueError as error:
            faults.add("image", place, error)
    return found
