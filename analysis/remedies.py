"""Commands that make a result which is missing, or make it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def command_of(row: Mapping[str, Any]) -> str:
    """Give the command that evaluates the design of `row` (columns of results.Row)."""
    encoders = str(row["encoder"]).split("+")
    vision, _, blocks = str(row["vision"]).partition(" last ")
    choices = [
        f"scale={row['scale']}",
        f"encoder={encoders[0] if len(encoders) == 1 else '[' + ','.join(encoders) + ']'}",
        *(f"{axis}={row[axis]}" for axis in ("connector", "adapter")),
        f"vision={vision}",
        *([f"vision.blocks={blocks}"] if blocks else []),
        *(f"{axis}={row[axis]}" for axis in ("instruct", "llm", "seed")),
        *([f"proxy={row['proxy']:g}"] if row["proxy"] != 1 else []),
    ]
    return "python run.py " + " ".join(shlex.quote(choice) for choice in choices)
