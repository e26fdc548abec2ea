"""A data set in LLaVA's format on this machine: right rows are read at random, the others named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cambrian.data.conversation import Conversation
from cambrian.data.images import Images
from cambrian.data.llava import LlavaRow, parse_row
from cambrian.data.pictures import Size, View, prepare, read_picture, read_size
from cambrian.data.rows import RowError

DECODERS = 4
"""Images decoded at the same time; Pillow lets other threads run meanwhile."""
ABSENT = "its image"
"""How the reason begins where an image is missing: such a row may become right."""


class Table(Protocol):
    """Rows by number, in whatever form they are kept."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Any:  # noqa: ANN401 - whatever the row holds
        """Give row `number`, counted from 0.

        Raises:
            RowError: if it cannot be parsed.
        """
        ...

    def lines(self, numbers: Sequence[int]) -> list[int]:
        """Give the lines of a file, or the numbers of rows counted from 1; `numbers` are in order."""
        ...

    def place(self, number: int) -> str:
        """Say where row `number` is."""
        ...


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A row that is left out."""

    row: int
    """Number, from 0."""
    line: int
    """Of the file, or number of the row; from 1."""
    reason: str
    place: str = ""
    """What messages call it where that is no line."""

    @property
    def kind(self) -> str:
        """The reason without what is particular to this row."""
        return self.reason.partition(": ")[0]

    def __str__(self) -> str:
        return f"{self.place or f'line {self.line}'}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What became of every row of a file."""

    kept: np.ndarray
    """(n,) int64, numbers of the rows that are right, in order."""
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class LlavaCorpus:
    """Conversations of a table of rows, and their images.

    A picture that cannot be decoded is only found when it is read; it raises `BadImageError` then.
    """

    rows: Table
    images: Images
    kept: np.ndarray = field(repr=False)
    """(n,) int64, rows that make up the corpus."""
    name: str
    """What messages call the data set."""

    def __len__(self) -> int:
        return len(self.kept)

    def conversation(self, index: int) -> Conversation:
        """Give conversation `index`; its image goes by the same index."""
        row = self._row(index)
        image = index if row.image is not None else None
        return Conversation(id=row.id, image=image, turns=row.turns, shown=row.shown)

    def place(self, index: int) -> str:
        """Name the data set, and the line or row of conversation `index`."""
        return f"{self.name}, {self.rows.place(int(self.kept[index]))}"

    def image_size(self, image: int) -> Size | None:
        """Width and height of the image of a conversation, from the head of its file.

        Raises:
            BadImageError: with the path and the reason.
        """
        name, source = self._image(image)
        return read_size(source, name)

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        """Decode the images of some conversations, each once: uint8 (B, R, R, 3) for every view.

        Raises:
            BadImageError: with the path and the reason.
        """
        with ThreadPoolExecutor(DECODERS) as pool:
            each = list(pool.map(lambda index: self._prepare(index, views), indices))
        return {view: np.stack([prepared[view] for prepared in each]) for view in dict.fromkeys(views)}

    def _prepare(self, index: int, views: Sequence[View]) -> dict[View, np.ndarray]:
        name, source = self._image(index)
        return prepare(read_picture(source, name), views)

    def _row(self, index: int) -> LlavaRow:
        return parse_row(self.rows[int(self.kept[index])])

    def _image(self, index: int) -> tuple[str, Path | bytes]:
        row = self._row(index)
        assert row.image is not None, f"row '{row.id}' has no image"
        return row.image, self.images.get(row.image)


def inspect(rows: Table, images: Images, left_out: Mapping[int, str] | None = None) -> Inspection:
    """Judge every row: whether it is JSON, in LLaVA's format, has its image, and comes for the first time.

    `left_out` are rows that are left out for other reasons.
    """
    checked = _Judge(rows, images)
    reasons = [checked.reason(number) for number in range(len(rows))]
    for number, first in checked.repeated():
        reasons[number] = f"the same as an earlier row: {rows.place(first)}"
    for number, reason in (left_out or {}).items():
        reasons[number] = reasons[number] or reason
    wrong = [number for number, reason in enumerate(reasons) if reason]
    lines = rows.lines(wrong)
    return Inspection(
        kept=np.flatnonzero([not reason for reason in reasons]).astype(np.int64),
        faults=tuple(
            Fault(row=number, line=line, reason=reasons[number], place=_place(rows, number, line))
            for number, line in zip(wrong, lines, strict=True)
        ),
    )


def is_still_wrong(rows: Table, images: Images, fault: Fault) -> bool:
    """Say whether a row that was left out still is: what a file says stays, but an image may have come."""
    return not fault.reason.startswith(ABSENT) or bool(_Judge(rows, images).reason(fault.row))


class _Judge:
    """Judges rows one by one, and remembers images it has looked for and what rows said."""

    def __init__(self, rows: Table, images: Images) -> None:
        self._rows, self._images = rows, images
        self._absences: dict[str, str] = {}
        self._marks: list[tuple[int, int]] = []

    def reason(self, number: int) -> str:
        """Why row `number` is left out; empty if it is right."""
        try:
            row = parse_row(self._rows[number])
        except RowError as fault:
            return fault.reason
        except ValueError as fault:
            return str(fault)
        image = row.image
        if image is not None and image not in self._absences:
            self._absences[image] = self._images.absence(image)
        if image is not None and self._absences[image]:
            return f"{ABSENT} {self._absences[image]}: {image}"
        mark = hashlib.blake2b(repr(row).encode(), digest_size=8).digest()
        self._marks.append((int.from_bytes(mark, "big"), number))
        return ""

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Right rows that say what an earlier one said, each with the first such."""
        marks = np.array([mark for mark, _ in self._marks], np.uint64)
        order = np.argsort(marks, kind="stable")
        same = np.flatnonzero(marks[order][1:] == marks[order][:-1]) + 1
        firsts: dict[int, int] = {}
        for place in same.tolist():
            mark, number = self._marks[order[place]]
            first = firsts.setdefault(mark, self._marks[order[place - 1]][1])
            if parse_row(self._rows[number]) == parse_row(self._rows[first]):
                yield number, first


def _place(rows: Table, number: int, line: int) -> str:
    place = rows.place(number)
    return "" if place == f"line {line}" else place
