"""Rows of a data set as Hugging Face's `datasets` keeps it: columns id, conversations, and perhaps image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Image, concatenate_datasets, load_dataset

from cambrian.data.places import SPLIT
from cambrian.errors import DataError

COLUMNS = ("id", "conversations")
IMAGE = "image"
ROW = "row "
"""What rows and their images are called by begins with it; their number follows."""


@dataclass(frozen=True)
class ArrowTable:
    """Rows and images of Arrow files; images are decoded by us, as those of all other forms."""

    rows: Dataset = field(repr=False)
    """Without the images."""
    images: Dataset | None = field(repr=False)
    """The column of images, undecoded; None where all is text."""
    has_image: np.ndarray = field(repr=False)
    """(n,) bool."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Give row `number`; its image is called after its place."""
        row = dict(self.rows[number])
        return {**row, IMAGE: f"{ROW}{number + 1}"} if self.has_image[number] else row

    def lines(self, numbers: Sequence[int]) -> list[int]:
        """Give the numbers of rows, counted from 1."""
        return [number + 1 for number in numbers]

    def place(self, number: int) -> str:
        """Say where row `number` is."""
        return f"{ROW}{number + 1}"

    def absence(self, name: str) -> str:
        """Say why there is no such image; a path instead of its bytes, which may lead anywhere, is none."""
        return "" if self._content(name) is not None else "is a path, its bytes are not in the data set"

    def get(self, name: str) -> bytes:
        """Give the content of an image."""
        content = self._content(name)
        assert content is not None, f"{name} has no image"
        return content

    def _content(self, name: str) -> bytes | None:
        assert self.images is not None, "a data set of text alone"
        return self.images[int(name.removeprefix(ROW)) - 1][IMAGE]["bytes"]


def open_tables(paths: Sequence[Path]) -> ArrowTable:
    """Open Arrow files, of which nothing is read before it is asked for.

    Raises:
        DataError: if a column that a row needs is missing.
    """
    table = concatenate_datasets([Dataset.from_file(str(path)) for path in paths])
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(
            f"{paths[0].parent} has no column {' and '.join(missing)}, but {', '.join(table.column_names)}; "
            "rows in LLaVA's format have id, conversations and image"
        )
    rows = table.select_columns(list(COLUMNS))
    if IMAGE not in table.column_names:
        return ArrowTable(rows, None, np.zeros(len(rows), bool))
    images = table.select_columns([IMAGE]).cast_column(IMAGE, Image(decode=False))
    there = images.data.column(IMAGE).is_valid().to_numpy()
    return ArrowTable(rows, images, np.asarray(there, bool))


def fetch(name: str) -> None:
    """Let `datasets` fetch and prepare a data set of the hub, ORGANISATION/NAME or with :CONFIGURATION.

    Raises:
        DataError: if that fails, with the library's reason.
    """
    dataset, _, configuration = name.partition(":")
    try:
        load_dataset(dataset, configuration or None, split=SPLIT)
    except Exception as error:  # of the library, its reader of the format, or the network
        raise DataError(f"'{name}' cannot be fetched: {error}") from error
