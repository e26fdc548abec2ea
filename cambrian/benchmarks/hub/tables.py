"""Tables of a benchmark's records and pictures, read with `datasets` from a folder; memory-mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import pyarrow
from datasets.exceptions import DatasetsError

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.places import file_patterns
from cambrian.benchmarks.hub.source import Record
from cambrian.errors import BadImageError, DataError

_BUILDERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv", ".arrow": "arrow"}
_SAVED = ("dataset_dict.json", "state.json")
"""What `save_to_disk` writes."""


def open_table(folder: Path, row: HubBenchmark, config: str, cache: Path) -> datasets.Dataset:
    """Open the records of a row's split.

    The first of these that is there: the file that the row names; what `save_to_disk` left; `SPLIT.parquet`,
    `.jsonl`, `.json` or `.csv`; the files that the data set's card names; whatever `load_dataset` finds. They
    are looked for in a folder of the configuration's name, if there is one; the card is always outside.

    Raises:
        DataError: if none of these has the split.
    """
    split = row.data.split
    place = folder / config if config and (folder / config).is_dir() else folder
    if row.data.file and (place / row.data.file).is_file():
        return _read([place / row.data.file], split, cache)
    if any((place / name).is_file() for name in _SAVED):
        return _saved(place, split)
    for suffix in _BUILDERS:
        if (place / f"{split}{suffix}").is_file():
            return _read([place / f"{split}{suffix}"], split, cache)
    files = [file for name in file_patterns(folder, split, config) for file in sorted(folder.glob(name))]
    if files:
        return _read(files, split, cache)
    with _explaining(place):
        return _as_dataset(datasets.load_dataset(str(place), split=split, cache_dir=str(cache)))


class PictureTable:
    """The column of a table that holds pictures, undecoded."""

    def __init__(self, table: datasets.Dataset, column: str, folder: Path) -> None:
        if column not in table.column_names:
            raise DataError(f"{folder}: no column '{column}'; it has {', '.join(table.column_names)}")
        # As Arrow has it: pictures are neither decoded nor copied.
        self._rows = table.select_columns([column]).with_format("arrow")
        self._column = column
        self._folder = folder

    def content(self, number: int) -> bytes | None:
        """Give the bytes of the picture of a record, of several the first; None if it has none.

        Raises:
            BadImageError: if it is a file that is not there.
        """
        value: Any = self._rows[number][self._column][0].as_py()
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict):
            value = value["bytes"] or value["path"]
        if isinstance(value, str):
            return read_below(self._folder, value)
        return value


def read_below(folder: Path, name: str) -> bytes:
    """Read a file of a benchmark's folder.

    Raises:
        BadImageError: if it is not there, or outside.
    """
    path = Path(name) if Path(name).is_absolute() else folder / name
    if ".." in path.parts or not path.is_relative_to(folder):
        raise BadImageError(name, f"leads out of {folder}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadImageError(str(path), f"cannot be read: {error.strerror or error}") from error


def records(table: datasets.Dataset) -> Iterator[Record]:
    """Go through a table without its pictures."""
    for record in table.remove_columns(picture_columns(table)):
        assert isinstance(record, dict), type(record)
        yield record


def picture_columns(table: datasets.Dataset) -> list[str]:
    """Name the columns that hold pictures, or lists of them."""
    return [name for name, feature in table.features.items() if _holds_pictures(feature)]


def name_of(content: bytes) -> str:
    """What a picture is called that has no name of its own."""
    return hashlib.sha256(content).hexdigest()[:16]


def _read(files: list[Path], split: str, cache: Path) -> datasets.Dataset:
    suffix = files[0].suffix
    if suffix not in _BUILDERS:
        raise DataError(f"{files[0]} is none of {', '.join(_BUILDERS)}")
    with _explaining(files[0]):
        return _as_dataset(
            datasets.load_dataset(
                _BUILDERS[suffix],
                data_files={split: [str(file) for file in files]},
                split=split,
                cache_dir=str(cache),
            )
        )


def _saved(place: Path, split: str) -> datasets.Dataset:
    with _explaining(place):
        found = datasets.load_from_disk(str(place))
    if isinstance(found, datasets.Dataset):
        return found
    if split not in found:
        raise DataError(f"{place} has the splits {', '.join(map(str, found))}, not '{split}'")
    return found[split]


def _as_dataset(found: object) -> datasets.Dataset:
    assert isinstance(found, datasets.Dataset), type(found)
    return found


@contextmanager
def _explaining(place: Path) -> Iterator[None]:
    """Say what cannot be read; the library has many ways to say that it cannot."""
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    except (DatasetsError, ValueError, OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{place} cannot be read as a data set: {error}") from error
    finally:
        if shown:
            datasets.enable_progress_bars()


def _holds_pictures(feature: object) -> bool:
    inner = feature.feature if isinstance(feature, datasets.List) else feature
    return isinstance(inner, datasets.Image)
