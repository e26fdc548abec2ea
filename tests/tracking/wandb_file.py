"""Read the files in which the real client of Weights & Biases keeps offline runs."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK = 32768
HEADER = 7
"""Bytes before each chunk: checksum (4), length (2) and kind (1); the file itself begins with as many."""
WHOLE, LAST = 1, 4
"""Kinds of chunks that end a record."""


@dataclass
class RunFile:
    """What one `.wandb` file says."""

    folder: Path
    run: Any = None
    """The run's record: run_id, project, run_group, job_type, display_name, tags."""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)
    """Metric -> what the summary keeps of it."""
    log: str = ""
    exit_code: int | None = None
    artifacts: list[str] = field(default_factory=list)

    def table(self, key: str) -> dict[str, Any]:
        """The table under `key`: its columns and its data."""
        return json.loads((self.folder / "files" / self.summary[f"{key}/path"]).read_text())


def read_runs(store: Path) -> dict[str, RunFile]:
    """Every offline run of `store`, by id; a later one with the same id wins."""
    paths = sorted((store / "tracking" / "wandb").glob("offline-run-*/run-*.wandb"))
    files = [_read(path) for path in paths]
    return {file.run.run_id: file for file in files}


def _read(path: Path) -> RunFile:
    from wandb.proto import wandb_internal_pb2

    file = RunFile(folder=path.parent)
    for data in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        _take(file, record)
    return file


def _take(file: RunFile, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        file.run = record.run
        file.config.update(_values(record.run.config.update))
    elif kind == "config":
        file.config.update(_values(record.config.update))
    elif kind == "history":
        file.history.append(_values(record.history.item))
    elif kind == "summary":
        file.summary.update(_values(record.summary.update))
        for item in record.summary.remove:
            file.summary.pop(item.key, None)
    elif kind == "metric":
        name = record.metric.name or record.metric.glob_name
        file.rules[name] = [rule.name for rule, on in record.metric.summary.ListFields() if on]
    elif kind == "output_logger":
        file.log += record.output_logger.line
    elif kind == "exit":
        file.exit_code = record.exit.exit_code
    elif kind == "artifact":
        file.artifacts.append(record.artifact.name)


def _values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(data: bytes) -> Iterator[bytes]:
    """Undo the framing of LevelDB's logs, whose chunks never cross a block of 32 KiB."""
    assert data[:4] == b":W&B"
    position, parts = HEADER, []
    while position + HEADER <= len(data):
        room = BLOCK - position % BLOCK
        if room < HEADER:
            position += room
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        position += HEADER
        parts.append(data[position : position + length])
        position += length
        if kind in (WHOLE, LAST):
            yield b"".join(parts)
            parts = []
