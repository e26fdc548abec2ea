"""What a command says when the disk is too full for it to begin."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cambrian.errors import UserError
from cambrian.sweep.files import is_full_disk
from cambrian.sweep.store import Store


@contextmanager
def explaining_full_disk(store: Store) -> Iterator[None]:
    """Say what is free where want of disk space stops a whole command; that of a stage is its own failure.

    Raises:
        UserError: in place of an error for want of disk space.
    """
    try:
        yield
    except OSError as error:
        if not is_full_disk(error):
            raise
        raise UserError(
            f"no room on the disk: {error}; {store.root} has {free_bytes(store.root):,} bytes free. "
            "Make room; then the same command goes on from here"
        ) from error


def free_bytes(place: Path) -> int:
    """What is free on the disk of a directory, which need not exist yet."""
    return shutil.disk_usage(next(path for path in (place, *place.parents) if path.exists())).free
