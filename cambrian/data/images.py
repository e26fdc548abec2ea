"""Where the images of a data set are: a folder, or the same archive as its rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Images(Protocol):
    """Images by the names that rows give them."""

    def absence(self, name: str) -> str:
        """Say why there is no such image; empty if there is one."""
        ...

    def get(self, name: str) -> Path | bytes:
        """Give the file of an image, or its content."""
        ...


@dataclass(frozen=True)
class Folder:
    """Images are files below a directory."""

    path: Path

    def absence(self, name: str) -> str:
        """Say why there is no such image; one that leads out of the folder is none."""
        if Path(name).is_absolute() or ".." in Path(name).parts:
            return "leads out of the folder"
        there = os.path.isfile(self.path / name)  # noqa: PTH113 - no error for names that no disk takes
        return "" if there else "is not in the folder"

    def get(self, name: str) -> Path:
        """Give the file of an image."""
        return self.path / name
