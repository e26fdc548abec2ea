"""How a result came about: code, packages, machine, time, memory. And whether that code is still today's."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cambrian.memory import peak_bytes, reset_peak
from cambrian.stages.base import KINDS

PACKAGE = Path(__file__).resolve().parents[1]
"""The directory of the `cambrian` package."""

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

TABLE_OF_KINDS = "cambrian.stages.base"
"""It names the function of every kind, so the names in it say nothing about what one stage reaches."""

_MODULE_NAME = re.compile(r"cambrian(\.\w+)+")


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
    """Hash of the source that a stage of `kind` can reach, without comments and docstrings.

    Reach is followed through imports of `cambrian` modules and through their names in strings, by which
    tables of rows refer to code. Another Python version may give another hash.
    """
    return _fingerprint(KINDS[kind].function.partition(":")[0])


@cache
def _fingerprint(start: str) -> str:
    reached: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _source_of(name)
        if name in reached or path is None:
            continue
        reached[name], names = _digest_source(path, is_table=name == TABLE_OF_KINDS)
        waiting += names
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(reached.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _source_of(name: str) -> Path | None:
    """File of a module; None for names that are no module, such as those of functions."""
    first, *rest = name.split(".")
    if first != "cambrian":
        spec = importlib.util.find_spec(name)
        return Path(spec.origin) if spec is not None and spec.origin is not None else None
    base = PACKAGE.joinpath(*rest)
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def _digest_source(path: Path, *, is_table: bool) -> tuple[str, tuple[str, ...]]:
    """Hash of the normalised source, and the names of `cambrian` modules in it."""
    tree = ast.parse(path.read_bytes())
    names: set[str] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None) if isinstance(node, _WITH_DOCSTRING) else None
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            del body[0]
        names.update(_names_in(node, strings=not is_table))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(sorted(names))


_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _names_in(node: ast.AST, *, strings: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("cambrian"))
    elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("cambrian"):
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif strings and isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = _MODULE_NAME.match(node.value)
        if found is not None:
            yield found.group()


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
