"""Tables, lists and numbers in plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence


def align(rows: Sequence[Sequence[str]]) -> str:
    """`rows` of as many cells each, below each other in columns that are two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def p_value(value: float) -> str:
    """`value` with three decimals; what they would round to nothing is said to be small."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def by_size(word: str) -> tuple[float, str]:
    """Sort key: sizes such as 0.5M and seeds by what they are, then other words as they are spelt."""
    size = word.removesuffix("M")
    return (float(size) if size.replace(".", "", 1).isdigit() else math.inf, word)


def cut_short(lines: Sequence[str], most: int) -> list[str]:
    """The first `most` of `lines`, and how many more there are."""
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]
