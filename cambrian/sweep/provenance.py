"""How a result came about: code, packages, machine, time, memory. And whether that code is still today's."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cambrian.memory import peak_bytes, reset_peak
from cambrian.source_code import PACKAGE, source_fingerprint
from cambrian.stages.base import KINDS

DISTRIBUTIONS = (
    "cambrian-sweeps",
    "numpy",
    "ray",
    "safetensors",
    "timm",
    "tokenizers",
    "torch",
    "transformers",
)


@dataclass(kw_only=True)
class Stopwatch:
    """Time and peak memory from its making on."""

    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    _started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        with suppress(OSError):  # the peak is then that of the whole process
            reset_peak()

    def provenance(self, work: float) -> dict[str, Any]:
        """Describe the run of a stage that ends now and processed `work` examples."""
        return {
            "created": self.created.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._started, 3),
            "work": work,
            "host": platform.node(),
            "python": platform.python_version(),
            "packages": package_versions(),
            "git": git_state(),
            "peak_memory_bytes": peak_bytes(),
        }


@cache
def package_versions() -> dict[str, str]:
    """Versions of the main packages, of those that are installed; none is imported."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def git_state() -> dict[str, Any] | None:
    """Revision of the repository that tracks this code, and whether files differ; None without one."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name, folder=Path(__file__).parent) is None:
        return None
    revision = _git("rev-parse", "HEAD", folder=PACKAGE)
    changes = _git("status", "--porcelain", folder=PACKAGE)
    return None if revision is None else {"revision": revision, "dirty": bool(changes)}


def code_fingerprint(kind: str) -> str:
    """Hash of the source that a stage of `kind` can reach, without comments and docstrings."""
    return source_fingerprint(KINDS[kind].function.partition(":")[0])


def _git(*arguments: str, folder: Path) -> str | None:
    """Output of a git command, None if it fails or there is no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
