"""Tar shards in webdataset's layout, read at random: KEY.json is a row, KEY.jpg beside it its image.

Where a member begins is found out once per shard, by its headers; nothing is extracted.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.data.rows import RowError, parse_json
from cambrian.errors import DataError
from cambrian.user_cache import keep, kept

IMAGES = ("jpg", "jpeg", "png", "webp", "gif", "bmp")
ROW = "json"


@dataclass(frozen=True)
class Member:
    """Where a file of a shard is."""

    shard: Path
    name: str
    start: int
    size: int

    @property
    def place(self) -> str:
        """What messages call it, and rows their image."""
        return f"{self.shard.name}/{self.name}"

    def read(self) -> bytes:
        """Give its bytes."""
        with self.shard.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


@dataclass(frozen=True)
class Shards:
    """Rows of several shards, in the order of the shards' and the members' places, and their images."""

    samples: tuple[tuple[Member, Member | None], ...] = field(repr=False)
    """Row and image of every key."""
    images: dict[str, Member] = field(repr=False)
    """By place."""

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Any:  # noqa: ANN401 - whatever the JSON holds
        """Parse row `number`: its image is the one beside it, its id the key if it has none.

        Raises:
            RowError: if it is not JSON in UTF-8.
        """
        member, image = self.samples[number]
        try:
            row = parse_json(member.read())
        except ValueError as fault:
            raise RowError(f"{member.shard}, {member.name}", str(fault)) from fault
        if not isinstance(row, dict):
            return row
        row = {"id": _split(member.name)[0], **row}
        if image is not None:
            row.pop("images", None)
            row["image"] = image.place
        return row

    def lines(self, numbers: Sequence[int]) -> list[int]:
        """Give the numbers of rows, counted from 1."""
        return [number + 1 for number in numbers]

    def place(self, number: int) -> str:
        """Say where row `number` is."""
        return self.samples[number][0].place

    def absence(self, name: str) -> str:
        """Say why there is no such image; empty if there is one."""
        return "" if name in self.images else "is not beside its row in the shard"

    def get(self, name: str) -> bytes:
        """Give the content of an image."""
        return self.images[name].read()


def open_shards(paths: Sequence[Path]) -> Shards:
    """Find all rows and images of shards.

    Raises:
        DataError: if a shard is no tar file, is compressed or truncated, or there is no row.
    """
    samples: list[tuple[Member, Member | None]] = []
    images: dict[str, Member] = {}
    for path in paths:
        rows: dict[str, Member] = {}
        pictures: dict[str, Member] = {}
        for member in _members(path):
            key, ending = _split(member.name)
            if ending == ROW:
                rows[key] = member
            elif ending in IMAGES:
                pictures[key] = member
        samples += [(member, pictures.get(key)) for key, member in rows.items()]
        images |= {member.place: member for member in pictures.values()}
    if not samples:
        raise DataError(f"no row in {paths[0].parent}/*.tar; a shard should hold KEY.json and KEY.jpg")
    return Shards(tuple(samples), images)


def _members(path: Path) -> list[Member]:
    """Read the headers of a shard, or remember what they said of one with this size and time."""
    state = path.stat()
    asked = json.dumps([str(path.resolve()), state.st_size, state.st_mtime_ns])
    place = kept("shards", f"{hashlib.sha256(asked.encode()).hexdigest()}.json")
    if place.is_file():
        found = json.loads(place.read_text())
    else:
        found = _headers(path)
        keep(place, json.dumps(found))
    return [Member(path, name, start, size) for name, start, size in found]


def _headers(path: Path) -> list[tuple[str, int, int]]:
    try:
        with tarfile.open(path, "r:") as archive:
            members = [one for one in archive if one.isreg() and one.sparse is None]
            end = archive.offset
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise DataError(
            f"{path} cannot be read at random: {error}; it should be a whole tar file that is not compressed"
        ) from error
    with path.open("rb") as file:
        file.seek(end)
        # The reader takes a file that breaks off for one that ends; a whole one ends with empty blocks.
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise DataError(f"{path} is truncated: it has no end mark after {len(members):,} files")
    return [(one.name, one.offset_data, one.size) for one in members]


def _split(name: str) -> tuple[str, str]:
    """Key and ending: all up to the first point of the file's name, and what follows, in lower case."""
    folder, _, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}/{stem}" if folder else stem, ending.lower()
