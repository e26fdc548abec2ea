"""Rows of a JSON or JSONL file by number: byte offsets found once, then one read per row.

Nothing is kept in memory but the offsets, 16 bytes a row, so files of any size are read at random.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.errors import DataError

BOM = b"\xef\xbb\xbf"
WINDOW_BYTES = 32 << 20
"""Part of a JSON array that is looked at in one go; a longer row makes it grow."""


class RowError(DataError):
    """A row that is not JSON. Names file, line and reason."""

    def __init__(self, place: str, reason: str) -> None:
        self.reason = reason
        self._place = place
        super().__init__(f"{place}: {reason}")

    def __reduce__(self) -> tuple[type[RowError], tuple[str, str]]:
        """Let it leave the process of a worker."""
        return RowError, (self._place, self.reason)


@dataclass(frozen=True)
class Rows:
    """The rows of `path`: lines of a JSONL file without the blank ones, or elements of a JSON array.

    Safe to read from several threads; processes may hand it to each other.
    """

    path: Path
    spans: np.ndarray
    """(rows, 2) int64, first byte and the one after the last."""

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, number: int) -> Any:  # noqa: ANN401 - whatever the JSON holds
        """Parse row `number`, counted from 0.

        Raises:
            RowError: if it is not JSON in UTF-8.
        """
        try:
            return parse_json(self.read(number))
        except ValueError as fault:
            raise RowError(f"{self.path}, line {self.lines([number])[0]}", str(fault)) from fault

    def read(self, number: int) -> bytes:
        """Give the bytes of row `number`."""
        start, stop = self.spans[number].tolist()
        return os.pread(self._descriptor, stop - start, start)

    def lines(self, numbers: Sequence[int]) -> list[int]:
        """Lines of the file on which rows begin, counted from 1, as editors do; `numbers` are in order."""
        found, line, place = [], 1, 0
        for number in numbers:
            start = int(self.spans[number][0])
            line += sum(block.count(b"\n") for block in _blocks(self._descriptor, place, start))
            place = start
            found.append(line)
        return found

    def place(self, number: int) -> str:
        """Say where row `number` is."""
        return f"line {self.lines([number])[0]}"

    @cached_property
    def _descriptor(self) -> int:
        return os.open(self.path, os.O_RDONLY)

    def __del__(self) -> None:
        if "_descriptor" in self.__dict__:
            os.close(self._descriptor)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "spans": self.spans}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def parse_json(text: bytes) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """Parse JSON in UTF-8.

    Raises:
        ValueError: saying what is wrong with it, and where.
    """
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start} of the row") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos} of the row") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error


def index_rows(path: Path) -> Rows:
    """Find the rows of a JSON or JSONL file; what is in them is not judged.

    Raises:
        DataError: if the file is missing or empty, or its array is broken, with the line.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there; it should be a JSON or JSONL file")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise DataError(f"{path} is empty; it should have one JSON object per line, or an array of them")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start = len(BOM) if content[: len(BOM)] == BOM else 0
            is_array = content[start : start + 4096].lstrip()[:1] == b"["
            spans = _elements(path, content, start) if is_array else _lines(content, start)
    if not len(spans):
        raise DataError(f"{path} has no row; it should have one JSON object per line, or an array of them")
    return Rows(path, spans)


def _lines(content: mmap.mmap, start: int) -> np.ndarray:
    """Spans of the lines that are not blank."""
    newlines = []
    view = np.frombuffer(content, np.uint8)
    for first in range(0, len(view), WINDOW_BYTES):
        newlines.append(np.flatnonzero(view[first : first + WINDOW_BYTES] == ord("\n")) + first)
    ends = np.concatenate([*newlines, [len(view)]])
    starts = np.concatenate([[start], ends[:-1] + 1])
    spans = np.stack([starts, ends], axis=1)[ends > starts].astype(np.int64)
    # Of what is short enough to be blank, look.
    widths = spans[:, 1] - spans[:, 0]
    blank = [row for row in np.flatnonzero(widths < 64) if not content[spans[row, 0] : spans[row, 1]].strip()]
    del view  # the map cannot be closed while it is looked at
    return np.delete(spans, blank, axis=0)


def _elements(path: Path, content: mmap.mmap, start: int) -> np.ndarray:
    """Spans of the elements of the array that `content` is.

    Every byte becomes one character, so that the decoder's places are places in the file. What strings then
    say does not matter: all that structures JSON is ASCII.
    """
    decoder = json.JSONDecoder()
    spans: list[tuple[int, int]] = []
    at = content.find(b"[", start) + 1
    window, size = at, WINDOW_BYTES
    text = content[window : window + size].decode("latin-1")
    while True:
        place = _skip_blanks(text, at - window)
        if place < len(text) and text[place] == "]":
            return np.array(spans, np.int64).reshape(-1, 2)
        try:
            _, stop = decoder.raw_decode(text, place)
            follows = _skip_blanks(text, stop)
            if follows == len(text):
                raise json.JSONDecodeError("the array does not end", text, follows)
            if text[follows] not in ",]":
                raise json.JSONDecodeError("',' or ']' expected", text, follows)
        except json.JSONDecodeError as error:
            if window + len(text) < len(content):  # perhaps only the window is too short
                size = size if at > window else 2 * size
                window = at
                text = content[window : window + size].decode("latin-1")
                continue
            line = 1 + content[: window + error.pos].count(b"\n")
            raise DataError(
                f"{path}, line {line}: {error.msg} (in element {len(spans) + 1} of the array)"
            ) from error
        except (RecursionError, ValueError) as error:
            reason = "is nested too deeply" if isinstance(error, RecursionError) else f"has {error}"
            raise DataError(f"{path}, element {len(spans) + 1} of the array {reason}") from error
        spans.append((window + place, window + stop))
        at = window + follows + (text[follows] == ",")


def _skip_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _blocks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    for first in range(start, end, WINDOW_BYTES):
        yield os.pread(descriptor, min(WINDOW_BYTES, end - first), first)
