"""Checkpoints that are whole or absent: written aside, flushed, renamed; a damaged one is never selected.

What one process holds is one file. Where a model is divided over workers, each writes the rows that it holds
to a file of its own, which says where they begin. So a checkpoint can be read by any number of workers, and
nobody needs memory for the whole. All files hold tensors and plain values, nothing that runs when it is read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cambrian.errors import PartnerLost
from cambrian.shards import Rows
from cambrian.workers import Workers

KEPT = 2
"""The newest one, and the one before in case a disk spoils the newest."""

_STATE = "state.pt"
_CHECKSUMS = "sha256"
"""In the format of the program sha256sum."""
_DIVIDED = "divided"
"""Key that stands in `state.pt` for a tensor of which each worker has written a piece."""
_ALONE = Workers()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some rows of a tensor, to be written by the worker that holds them."""

    rows: Rows
    value: Tensor


class Pieces:
    """A tensor of which several workers have written rows; only what is asked for is read."""

    def __init__(self, pieces: Mapping[int, Tensor]) -> None:
        """Take pieces by their first rows."""
        self._pieces = dict(sorted(pieces.items()))

    def read(self, rows: Rows | None) -> Tensor:
        """Give these rows, or all."""
        first, last = (0, None) if rows is None else (rows.start, rows.stop)
        found = [
            value[max(first - start, 0) : None if last is None else max(last - start, 0)]
            for start, value in self._pieces.items()
        ]
        return torch.cat(found)


def read_rows(saved: Tensor | Pieces, rows: Rows | None) -> Tensor:
    """Give rows of what a checkpoint holds, or all, in memory of their own."""
    if isinstance(saved, Pieces):
        return saved.read(rows)
    return (saved if rows is None else saved[rows.start : rows.stop]).clone()


def save_checkpoint(directory: Path, step: int, state: dict[str, Any], workers: Workers = _ALONE) -> Path:
    """Write `state` as `directory/step-<step>`; those before stay intact until it is complete.

    Where `state` has a `Piece` in place of a tensor, all `workers` call this, with like states: each writes
    its pieces, the first all else. They see one `directory`.

    Raises:
        PartnerLost: if another worker could not write.
        OSError, RuntimeError: if this one could not.
    """
    final = directory / f"step-{step:08d}"
    staging = directory / f"writing-{step:08d}"
    if workers.is_first:
        for leftover in directory.glob("writing-*"):
            shutil.rmtree(leftover)
        staging.mkdir(parents=True)
    workers.sum_numbers([0])  # nobody writes before the old is gone
    pieces: dict[str, Any] = {}
    rest = _take_out(state, "", pieces)
    parts = {_STATE: rest} if workers.is_first else {}
    if pieces:
        parts[f"part-{workers.rank:05d}.pt"] = pieces
    try:
        _write(staging, parts)
    except Exception as error:  # a full disk, most likely: give back what it took
        written = sum(path.stat().st_size for path in staging.iterdir())
        error.add_note(f"the checkpoint needs more than {written:,} bytes")
        workers.sum_numbers([1])
        shutil.rmtree(staging, ignore_errors=not workers.is_first)
        raise
    if workers.sum_numbers([0])[0]:
        shutil.rmtree(staging, ignore_errors=True)  # as the other worker does
        raise PartnerLost("another worker of this stage could not write its part of a checkpoint")
    if workers.is_first:
        _publish(staging, final)
    return final


def load_checkpoint(directory: Path, workers: Workers = _ALONE) -> dict[str, Any] | None:
    """Read the newest undamaged checkpoint onto the CPU; None when there is none.

    All `workers` call it and share the work of looking at the checksums. Tensors stay on disk until they are
    used: copy them (`read_rows`) before the checkpoint is removed. Divided ones are `Pieces`.
    """
    for path in _newest_first(directory):
        if _is_intact(path, workers):
            parts = [_read(part) for part in sorted(path.glob("part-*.pt"))]
            return _put_in(_read(path / _STATE), parts)
        logger.warning("checkpoint %s is damaged; trying the one before", path)
    return None


def _take_out(tree: Any, place: str, pieces: dict[str, Any]) -> Any:  # noqa: ANN401
    """Move all pieces out of nested dictionaries; what is left names their places."""
    if isinstance(tree, Piece):
        pieces[place] = {"start": tree.rows.start, "value": tree.value}
        return {_DIVIDED: place}
    if isinstance(tree, dict):
        return {key: _take_out(value, f"{place}/{key}", pieces) for key, value in tree.items()}
    return tree


def _put_in(tree: Any, parts: list[dict[str, Any]]) -> Any:  # noqa: ANN401
    if not isinstance(tree, dict):
        return tree
    if tree.keys() == {_DIVIDED}:
        pieces = [part[tree[_DIVIDED]] for part in parts]
        return Pieces({piece["start"]: piece["value"] for piece in pieces if len(piece["value"])})
    return {key: _put_in(value, parts) for key, value in tree.items()}


def _write(staging: Path, parts: Mapping[str, Any]) -> None:
    """Write the files of one worker, each with its checksum beside it."""
    for name, content in parts.items():
        torch.save(content, staging / name)
        (staging / f"{name}.{_CHECKSUMS}").write_text(f"{_digest(staging / name)}  {name}\n")
        _flush(staging / name)


def _publish(staging: Path, final: Path) -> None:
    """Make what all have written visible, and remove the oldest."""
    lines = sorted(staging.glob(f"*.{_CHECKSUMS}"))
    (staging / _CHECKSUMS).write_text("".join(path.read_text() for path in lines))
    for path in lines:
        path.unlink()
    _flush(staging / _CHECKSUMS)
    _flush(staging)
    if final.exists():  # a damaged one of the same step that was passed over when resuming
        shutil.rmtree(final)
    staging.rename(final)
    _flush(final.parent)
    for old in _newest_first(final.parent)[KEPT:]:
        shutil.rmtree(old)


def _is_intact(path: Path, workers: Workers) -> bool:
    checksums = dict(_checksums(path))
    own = sorted(checksums)[workers.rank :: workers.count]
    damaged = [name for name in own if not (path / name).is_file() or _digest(path / name) != checksums[name]]
    lacking = _STATE not in checksums
    return not workers.sum_numbers([len(damaged) + lacking])[0]


def _checksums(path: Path) -> Iterator[tuple[str, str]]:
    """Names and digests of the files that belong to a checkpoint; none if nobody has said."""
    if (path / _CHECKSUMS).is_file():
        for line in (path / _CHECKSUMS).read_text().splitlines():
            digest, _, name = line.partition("  ")
            yield name or _STATE, digest  # a line without a name was written when there was one file


def _newest_first(directory: Path) -> list[Path]:
    return sorted(directory.glob("step-*"), reverse=True)


def _read(path: Path) -> Any:  # noqa: ANN401
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
