"""Weights on this machine, told apart by their content: neither name nor place enters an identity."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from cambrian.errors import UserError
from cambrian.user_cache import keep, kept

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".tar", ".json", ".txt", ".model", ".jinja")
"""Of files that make up a checkpoint: weights, configurations, vocabularies, chat templates."""

LARGE_BYTES = 64 << 20
"""Of a file whose checksum is kept between commands; reading it takes a tenth of a second and more."""


def weight_files(place: Path) -> list[Path]:
    """The files of a checkpoint, a file or a directory, in the order of their names."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.suffix in SUFFIXES and path.is_file())


def fingerprint(place: Path) -> str:
    """Hash of a checkpoint's content: that of the file, or of all files of a directory with their names.

    Raises:
        UserError: if there is nothing.
    """
    if place.is_file():
        return checksum(place)
    sums = checksums(place)
    if not sums:
        raise UserError(f"{place} holds no weights: no file that ends with {', '.join(SUFFIXES)}")
    lines = [f"{sum_} {name}\n" for name, sum_ in sums.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def checksums(place: Path) -> dict[str, str]:
    """SHA-256 of every file of a checkpoint, by its name in the directory."""
    root = place.parent if place.is_file() else place
    return {path.relative_to(root).as_posix(): checksum(path) for path in weight_files(place)}


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; one that has not changed is read once."""
    state = path.stat()
    return _checksum(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _checksum(path: Path, size: int, modified: int) -> str:
    """Read a file, or remember what a command before found in a large one of this size and time."""
    if size < LARGE_BYTES:
        return _read(path)
    name = hashlib.sha256(f"{path} {size} {modified}".encode()).hexdigest()
    place = kept("checksums", name)
    if place.is_file():
        return place.read_text()
    found = _read(path)
    keep(place, found)
    return found


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
