"""Figure 6 of the runs of a sweep, drawn by the project's own command in a process of its own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cambrian.runtime import PROJECT, Runtime

COMMAND = PROJECT / "analysis" / "plot_fig6.py"
NUMBERS = ("score", "low", "high", "blind", "chance", "vision_gain")
"""Columns of its table that hold numbers, or nothing."""
SECONDS = 120
"""Far more than drawing takes."""


class NoFigureError(Exception):
    """There is no figure of these runs; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawn figure."""

    title: str
    image: Path
    columns: list[str]
    rows: list[list[str | float | None]]
    """Its points."""


@contextmanager
def draw_figure(models: Sequence[str], runtime: Runtime) -> Iterator[Figure]:
    """Draw Figure 6 of `models`, given by the digests of their tune stages; its files go with the context.

    Raises:
        NoFigureError: if it cannot be drawn, such as when there are no models.
    """
    if not models:
        raise NoFigureError("no run has a result")
    with tempfile.TemporaryDirectory(prefix="cambrian-figure-") as name:
        folder = Path(name)
        chosen = folder / "runs.txt"
        chosen.write_text("\n".join(models) + "\n")
        words = ["--store", runtime.bucket or str(runtime.store), "--runs", str(chosen), "--out", str(folder)]
        try:
            done = subprocess.run(
                [sys.executable, str(COMMAND), *words],
                env={"MPLCONFIGDIR": str(runtime.cache / "matplotlib"), **os.environ, "MPLBACKEND": "agg"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as late:
            raise NoFigureError(f"{COMMAND.name} took over {SECONDS} s") from late
        if done.returncode:
            raise NoFigureError(done.stderr.strip() or f"{COMMAND.name} ended with {done.returncode}")
        columns, *rows = csv.reader((folder / "fig6.csv").read_text(encoding="utf-8").splitlines())
        yield Figure(
            title=done.stdout.splitlines()[0],
            image=folder / "fig6.png",
            columns=columns,
            rows=[[_value(column, cell) for column, cell in zip(columns, row, strict=True)] for row in rows],
        )


def _value(column: str, cell: str) -> str | float | None:
    if column not in NUMBERS:
        return cell
    return float(cell) if cell else None
