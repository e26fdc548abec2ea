"""Where a data set lies on this machine and in which form; paths alone, nothing is read but names.

| form | what is there |
|---|---|
| rows in a file | DIR/SOURCE.jsonl or DIR/SOURCE.json, images below DIR |
| tar shards (webdataset) | DIR/SOURCE/*.tar with KEY.json and KEY.jpg |
| Hugging Face, as it is kept | DIR/SOURCE/*.arrow or DIR/SOURCE/train/*.arrow, by `Dataset.save_to_disk` |
| Hugging Face, by its name | ORGANISATION/NAME or ORGANISATION/NAME:CONFIGURATION, in that library's cache |
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cambrian.errors import DataError, UserError
from cambrian.local_weights import checksum

SUFFIXES = (".jsonl", ".json")
SPLIT = "train"


def find_place(directory: Path | None, source: str) -> Path | None:
    """Find a data set in the directory of all of them, or in the cache of Hugging Face's library.

    Raises:
        UserError: if the cache has several configurations of it and none is named.
    """
    if "/" in source:
        return find_cached(source)
    if directory is None:
        return None
    folder = directory / source
    places = [directory / f"{source}{suffix}" for suffix in SUFFIXES]
    found = next((path for path in places if path.is_file()), None)
    return found or (folder if folder.is_dir() and (shards(folder) or tables(folder)) else None)


def find_cached(name: str) -> Path | None:
    """Find the newest copy of a data set of the hub that `datasets` has prepared on this machine.

    Raises:
        UserError: if it has several configurations and none is named.
    """
    dataset, _, configuration = name.partition(":")
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface")
    root = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets").expanduser()
    copies = [
        copy
        for copy in (root / dataset.replace("/", "___")).glob(f"{configuration or '*'}/*/*")
        if copy.is_dir() and tables(copy)
    ]
    configurations = sorted({copy.parents[1].name for copy in copies})
    if len(configurations) > 1:
        known = ", ".join(f"{dataset}:{one}" for one in configurations)
        raise UserError(f"'{name}' has several configurations; name one of {known}")
    return max(copies, key=lambda copy: copy.stat().st_mtime, default=None)


def shards(folder: Path) -> list[Path]:
    """The tar shards of a data set, in the order of their names."""
    return sorted(folder.glob("*.tar"))


def tables(folder: Path) -> list[Path]:
    """The Arrow files of a data set's training split, in the order of their names."""
    below = folder / SPLIT if (folder / SPLIT).is_dir() else folder
    files = sorted(path for path in below.glob("*.arrow") if not path.name.startswith("cache-"))
    return [path for path in files if f"-{SPLIT}" in path.name] or files


def content_of(place: Path) -> str:
    """What a data set is known by, wherever it lies: the SHA-256 of its file, or of all its files' in order.

    Raises:
        DataError: if it is not there any more.
    """
    if not place.exists():
        raise DataError(f"{place} is not there")
    if place.is_file():
        return checksum(place)
    files = shards(place) or tables(place)
    return hashlib.sha256("".join(checksum(path) for path in files).encode()).hexdigest()
