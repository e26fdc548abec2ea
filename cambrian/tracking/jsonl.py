"""The record that is always kept: one file of JSON lines per stage."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path


class JsonlTracker:
    """One JSON object per line: `{"time", "step", metric: value...}`, at the end `{"time", "summary"}`.

    A stage that fails ends with `{"time", "failure", "trace"}` instead. One that is resumed appends, so a
    step may occur twice; the later line counts.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_half_line(path)
        self._file = path.open("a", encoding="utf-8")

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Write `metrics` of `step` as one line; a number that is not finite becomes null."""
        values = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        self._write({"step": step, **values})

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Write the final `metrics` as one line."""
        self._write({"summary": dict(metrics)})

    def fail(self, reason: str, trace: str) -> None:
        """Write why there are no final metrics as one line."""
        self._write({"failure": reason, "trace": trace})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, record: Mapping[str, object]) -> None:
        self._file.write(json.dumps({"time": round(time.time(), 3), **record}) + "\n")
        self._file.flush()


def _drop_half_line(path: Path) -> None:
    """Cut off what a full disk or a kill left of a line, so that the next one begins where it should."""
    if path.exists() and not (content := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
