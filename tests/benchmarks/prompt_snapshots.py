"""Snapshots of what benchmarks ask: a changed prompt is another benchmark, and nobody changes one by chance.

A file holds the version and the questions of each benchmark. `write_snapshots` adds new benchmarks; it
overwrites changed questions only where the version was raised and `--change-prompts` is given.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cambrian.errors import UserError

FLAG = "--change-prompts"
Snapshots = Mapping[str, Mapping[str, Any]]
"""Benchmark -> {"version", "questions"}, plain JSON values."""


def read_snapshots(path: Path) -> dict[str, dict[str, Any]]:
    """What was written last; nothing if the file is not there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_snapshots(path: Path, made: Snapshots, *, change: bool) -> None:
    """Write `made` over the file at `path`.

    Raises:
        UserError: if questions have changed or are gone and that is not meant; names all such benchmarks and
            writes nothing.
    """
    plain = json.loads(json.dumps(made))
    kept = read_snapshots(path)
    faults = [
        f"{name}: is gone, and {FLAG} was not given" for name in kept if name not in plain and not change
    ]
    for name in [
        name for name in plain if name in kept and kept[name]["questions"] != plain[name]["questions"]
    ]:
        before, now = kept[name]["version"], plain[name]["version"]
        if now <= before:
            faults.append(f"{name}: questions have changed under version {before}; raise it")
        elif not change:
            faults.append(f"{name}: questions have changed, and {FLAG} was not given")
    if faults:
        raise UserError("\n".join([f"{path.name} is left as it was:", *(f"  - {fault}" for fault in faults)]))
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def may_change(description: str) -> bool:
    """Whether the command line says that prompts shall change."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        FLAG, action="store_true", help="overwrite questions of benchmarks with a raised version"
    )
    return parser.parse_args().change_prompts
