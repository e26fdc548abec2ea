"""A data set in LLaVA's format on disk: right rows are read at random, the others named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.data.conversation import Conversation
from cambrian.data.llava import LlavaRow, parse_row
from cambrian.data.pictures import Size, View, prepare, read_picture, read_size
from cambrian.data.rows import RowError, Rows

DECODERS = 4
"""Images decoded at the same time; Pillow lets other threads run meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A row that is left out."""

    row: int
    """Number, from 0."""
    line: int
    """Of the file, from 1."""
    reason: str

    @property
    def kind(self) -> str:
        """The reason without what is particular to this row."""
        return self.reason.partition(": ")[0]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What became of every row of a file."""

    kept: np.ndarray
    """(n,) int64, numbers of the rows that are right, in order."""
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class LlavaCorpus:
    """Conversations of a JSON or JSONL file and the images in a folder beside it.

    A picture that cannot be decoded is only found when it is read; it raises `BadImageError` then.
    """

    rows: Rows
    folder: Path
    """Below it are the images, under the names that rows give them."""
    kept: np.ndarray = field(repr=False)
    """(n,) int64, rows that make up the corpus."""

    def __len__(self) -> int:
        return len(self.kept)

    def conversation(self, index: int) -> Conversation:
        """Give conversation `index`; its image goes by the same index."""
        row = self._row(index)
        image = index if row.image is not None else None
        return Conversation(id=row.id, image=image, turns=row.turns, shown=row.shown)

    def image_size(self, image: int) -> Size | None:
        """Width and height of the image of a conversation, from the head of its file.

        Raises:
            BadImageError: with the path and the reason.
        """
        return read_size(self._path(self._row(image)))

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        """Decode the images of some conversations, each once: uint8 (B, R, R, 3) for every view.

        Raises:
            BadImageError: with the path and the reason.
        """
        paths = [self._path(self._row(index)) for index in indices]
        with ThreadPoolExecutor(DECODERS) as pool:
            each = list(pool.map(lambda path: prepare(read_picture(path), views), paths))
        return {view: np.stack([prepared[view] for prepared in each]) for view in dict.fromkeys(views)}

    def _row(self, index: int) -> LlavaRow:
        return parse_row(self.rows[int(self.kept[index])])

    def _path(self, row: LlavaRow) -> Path:
        assert row.image is not None, f"row '{row.id}' has no image"
        return self.folder / row.image


def inspect(rows: Rows, folder: Path) -> Inspection:
    """Judge every row: whether it is JSON, in LLaVA's format, and whether its image is there."""
    reasons = list(_reasons(rows, range(len(rows)), folder))
    wrong = [number for number, reason in enumerate(reasons) if reason]
    lines = rows.lines(wrong)
    return Inspection(
        kept=np.flatnonzero([not reason for reason in reasons]).astype(np.int64),
        faults=tuple(
            Fault(row=number, line=line, reason=reasons[number])
            for number, line in zip(wrong, lines, strict=True)
        ),
    )


def reason_against(rows: Rows, number: int, folder: Path) -> str:
    """Why row `number` is left out; empty if it is right."""
    return next(_reasons(rows, [number], folder))


def _reasons(rows: Rows, numbers: Iterable[int], folder: Path) -> Iterator[str]:
    known: dict[str, bool] = {}
    for number in numbers:
        try:
            row = parse_row(_parsed(rows, number))
        except ValueError as fault:
            yield str(fault)
            continue
        image = row.image
        if image is not None and image not in known:
            known[image] = _is_inside(image) and (folder / image).is_file()
        yield "" if image is None or known[image] else _absence(image)


def _parsed(rows: Rows, number: int) -> Any:  # noqa: ANN401 - whatever the JSON holds
    try:
        return rows[number]
    except RowError as fault:
        raise ValueError(fault.reason) from fault


def _is_inside(image: str) -> bool:
    """Whether a name stays below the folder of images."""
    return not Path(image).is_absolute() and ".." not in Path(image).parts


def _absence(image: str) -> str:
    where = "is not in the folder" if _is_inside(image) else "leads out of the folder"
    return f"its image {where}: {image}"
