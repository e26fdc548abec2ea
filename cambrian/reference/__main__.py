"""`python -m cambrian.reference FOLDER`: check every vectors file in a folder.

Exit code 0 if all that could be checked agrees, 1 on a failure or if there was nothing to check, 2 if there
is no such folder.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cambrian.reference.vectors import Vectors, read_vectors


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of vectors file, known by the start of its name."""

    prefix: str
    function: str | None
    """`module:function` that compares; None for what we have no counterpart of."""
    reason: str = ""
    """Why not, if `function` is None."""

    def load(self) -> Callable[[Vectors], None] | None:
        """Import the function."""
        if self.function is None:
            return None
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(f"cambrian.reference.{module}"), name)


KINDS = (
    Kind(
        prefix="sva_core_sep",
        function=None,
        reason="not supported: the alternative layer, which no configuration of the release selects",
    ),
    Kind(prefix="sva_core", function="sampler:check_sampler"),
    Kind(prefix="sva_conn", function="connector:check_connector_file"),
    Kind(prefix="sva_windows", function="geometry:check_windows"),
    Kind(prefix="concat", function="connector:check_connector_file"),
    Kind(prefix="interpolate_tokens", function="geometry:check_interpolation"),
    Kind(prefix="llm", function="language:check_language"),
)
"""The first whose prefix fits decides."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The line printed for one file."""

    file: str
    kind: str
    error: float | None
    """Largest relative error, None if nothing was compared."""
    word: str
    """pass, partial (all that was compared agrees), FAIL or skipped."""
    detail: str

    def __str__(self) -> str:
        error = "-" if self.error is None else f"{self.error:.1e}"
        detail = f"  {self.detail}" if self.detail else ""
        return f"{self.file:<48} {self.kind:<18} {error:>8}  {self.word}{detail}"


def check_file(path: Path) -> Verdict:
    """Check one file; whatever is wrong with it ends up in the verdict."""
    kind = next((row for row in KINDS if path.name.startswith(row.prefix)), None)
    if path.suffix != ".safetensors":
        return _skipped(path, "not a vectors file (.safetensors)")
    try:
        vectors = read_vectors(path)
        check = None if kind is None else kind.load()
        if kind is None or check is None:
            known = ", ".join(row.prefix for row in KINDS if row.function)
            unknown = f"unknown kind; names start with one of {known}"
            return _skipped(path, unknown) if kind is None else _skipped(path, kind.reason, kind.prefix)
        check(vectors)
    except (ValueError, RuntimeError) as error:  # wrong shapes surface as RuntimeError inside torch
        first = str(error).splitlines()[0]
        name = "unknown" if kind is None else kind.prefix
        return Verdict(file=path.name, kind=name, error=None, word="FAIL", detail=first)
    return _verdict(path, kind.prefix, vectors)


def main(arguments: Sequence[str]) -> int:
    """Check a folder, print one line per file, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m cambrian.reference", description="Check every vectors file in a folder."
    )
    parser.add_argument("folder", type=Path, help="directory with *.safetensors vectors files")
    folder = parser.parse_args(arguments).folder
    if not folder.is_dir():
        print(f"no folder {folder}; give a directory with *.safetensors vectors files", file=sys.stderr)
        return 2
    verdicts = []
    print(f"{'file':<48} {'kind':<18} {'error':>8}  result")
    for path in sorted(entry for entry in folder.iterdir() if entry.is_file()):
        verdicts.append(check_file(path))
        print(verdicts[-1], flush=True)
    words = [verdict.word for verdict in verdicts]
    print(", ".join(f"{words.count(word)} {word}" for word in ("pass", "partial", "FAIL", "skipped")))
    if words.count("skipped") == len(words):
        print(f"nothing in {folder} could be checked", file=sys.stderr)
        return 1
    return 1 if "FAIL" in words else 0


def _verdict(path: Path, kind: str, vectors: Vectors) -> Verdict:
    failed = [finding for finding in vectors.findings if not finding.passed]
    unchecked = vectors.unchecked()
    worst = max((finding.error for finding in vectors.findings), default=None)
    if any(math.isnan(finding.error) for finding in vectors.findings):
        worst = math.nan
    detail = f"{len(vectors.findings)} tensors"
    if not vectors.findings:
        detail = "nothing to compare in this file"
    elif failed:
        first = max(failed, key=lambda finding: finding.error / (finding.tolerance or 1.0))
        detail = f"{len(failed)} of {len(vectors.findings)} tensors differ"
        detail += f", most of all '{first.name}' ({first.error:.1e}, allowed {first.tolerance:.0e})"
    word = "FAIL" if failed or not vectors.findings else "partial" if unchecked else "pass"
    if unchecked:
        detail += f"; not compared: {', '.join(unchecked)}"
    return Verdict(file=path.name, kind=kind, error=worst, word=word, detail=detail)


def _skipped(path: Path, reason: str, kind: str = "-") -> Verdict:
    return Verdict(file=path.name, kind=kind, error=None, word="skipped", detail=reason)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
