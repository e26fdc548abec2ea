"""Checkpoints that are whole or absent: written aside, flushed, renamed; a damaged one is never selected."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch

KEPT = 2
"""The newest one, and the one before in case a disk spoils the newest."""

_STATE = "state.pt"
_CHECKSUM = "sha256"

logger = logging.getLogger(__name__)


def save_checkpoint(directory: Path, step: int, state: dict[str, Any]) -> Path:
    """Write `state` as `directory/step-<step>`; those before stay intact until it is complete."""
    final = directory / f"step-{step:08d}"
    staging = directory / f"writing-{step:08d}"
    for leftover in directory.glob("writing-*"):
        shutil.rmtree(leftover)
    staging.mkdir(parents=True)
    try:
        torch.save(state, staging / _STATE)
        (staging / _CHECKSUM).write_text(_digest(staging / _STATE))
        for path in (staging / _STATE, staging / _CHECKSUM, staging):
            _flush(path)
    except Exception as error:  # a full disk, most likely: give back what it took
        written = sum(path.stat().st_size for path in staging.iterdir())
        error.add_note(f"the checkpoint needs more than {written:,} bytes")
        shutil.rmtree(staging)
        raise
    if final.exists():  # a damaged one of the same step that was passed over when resuming
        shutil.rmtree(final)
    staging.rename(final)
    _flush(directory)
    for old in _newest_first(directory)[KEPT:]:
        shutil.rmtree(old)
    return final


def load_checkpoint(directory: Path) -> dict[str, Any] | None:
    """Read the newest undamaged checkpoint onto the CPU; None when there is none."""
    for path in _newest_first(directory):
        checksum = path / _CHECKSUM
        intact = checksum.is_file() and (path / _STATE).is_file()
        if intact and checksum.read_text() == _digest(path / _STATE):
            return torch.load(path / _STATE, map_location="cpu", weights_only=True)
        logger.warning("checkpoint %s is damaged; trying the one before", path)
    return None


def _newest_first(directory: Path) -> list[Path]:
    return sorted(directory.glob("step-*"), reverse=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
