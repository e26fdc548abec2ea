"""What was found out about files of this machine and would take long to find out again."""

from __future__ import annotations

import os
from pathlib import Path


def kept(kind: str, name: str) -> Path:
    """Say where the answer `name` of a `kind` of question is kept, below the user's cache."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return root / "cambrian-sweeps" / kind / name


def keep(place: Path, text: str) -> None:
    """Write an answer; who reads it at the same time sees the old one or the new one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_suffix(f".{os.getpid()}")
    new.write_text(text)
    new.replace(place)
