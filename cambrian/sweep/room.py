"""What a command says when the disk is too full for it to begin."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

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
        place = next(path for path in (store.root, *store.root.parents) if path.exists())
        raise UserError(
            f"no room on the disk: {error}; {place} has {shutil.disk_usage(place).free:,} bytes free. "
            "Make room; then the same command goes on from here"
        ) from error
