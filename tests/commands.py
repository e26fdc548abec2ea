"""The project's commands in processes of their own, and what a store says about what they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


def call(
    words: list[str], store: Path, *, script: str = "run.py", check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of the project on `store`, in the folder above it; it must succeed if `check`."""
    result = subprocess.run(
        [sys.executable, str(PROJECT / script), *words],
        cwd=store.parent,
        env={**os.environ, "CAMBRIAN_STORE": str(store), **variables},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def manifests(store: Path, kind: str = "*") -> dict[str, dict[str, Any]]:
    """Manifest of every finished stage of `kind`, by digest."""
    return {path.parent.name: json.loads(path.read_text()) for path in store.glob(f"{kind}/*/manifest.json")}


def scores(store: Path) -> dict[str, dict[str, Any]]:
    """Metrics of every finished evaluation, by digest."""
    return {digest: manifest["metrics"] for digest, manifest in manifests(store, "evaluate").items()}


def executions(store: Path) -> dict[str, int]:
    """How often each stage came to its end, from the tracking files."""
    return {
        path.stem: sum('"summary"' in line for line in path.read_text().splitlines())
        for path in (store / "tracking").glob("*.jsonl")
    }
