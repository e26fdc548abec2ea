"""Where a store is: a directory, or a URL with a directory for this machine's copy of it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cambrian.runtime import PROJECT
from cambrian.sweep.bucket import Bucket, is_url


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a store is."""

    directory: Path
    """Of the store itself, or of this machine's copy."""
    url: str | None = None
    """None for a store that is a directory."""


def locate_store(given: str | None, copy: str | None = None) -> Place:
    """Say where the store `given` is; None means the one of the environment or of the project.

    Args:
        given: a path or a URL.
        copy: parent directory of copies of stores at URLs; None means that of the environment or the home.

    Raises:
        UserError: for a URL that is more than a bucket and a prefix.
    """
    where = str(given or os.environ.get("CAMBRIAN_STORE") or PROJECT / "runs")
    if not is_url(where):
        return Place(directory=Path(where).expanduser().resolve())
    url = Bucket(where).url
    parent = Path(copy or os.environ.get("CAMBRIAN_STORE_COPY") or "~/.cache/cambrian-sweeps")
    name = re.sub(r"[^A-Za-z0-9]+", "-", url)[:60] + "-" + hashlib.sha256(url.encode()).hexdigest()[:8]
    return Place(directory=parent.expanduser().resolve() / name, url=url)
