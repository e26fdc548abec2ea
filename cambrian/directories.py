"""Folders that are whole or not there."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cambrian.errors import UserError


@contextmanager
def new_directory(directory: Path) -> Iterator[Path]:
    """Give a directory to write into, which becomes `directory` if all goes well and is removed if not.

    Raises:
        UserError: if there is something already.
    """
    directory = directory.expanduser().absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} exists and is not an empty directory; name another one")
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    staging.mkdir()
    try:
        yield staging
        readable = staging.stat().st_mode & 0o666
        for path in staging.iterdir():  # some libraries write what nobody else may read
            if path.is_file():
                path.chmod(readable)
        staging.rename(directory)
    except BaseException:
        shutil.rmtree(staging)
        raise
