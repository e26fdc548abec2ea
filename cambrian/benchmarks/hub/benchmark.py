"""A row of the table of the hub's benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cambrian.benchmarks.hub.source import IN_RECORD, Adapter, Pictures, Source
from cambrian.benchmarks.rows import Benchmark


@dataclass(frozen=True, kw_only=True)
class HubBenchmark(Benchmark):
    """One row: besides what all rows hold, where its data are and how a record becomes a question."""

    data: Source
    adapter: Adapter
    pictures: Pictures = IN_RECORD
    text_too: bool = False
    """Whether the split also has records without a picture, which are no part of the benchmark."""
    options: str
    """How many options its questions have, for the table in the documentation."""
    note: str = ""
    """What a reader of its score has to know."""
    version: int = 1
    """Raise it when questions, prompts or answers change."""
    source: str = "hub"

    def recipe(self, content: str = "") -> dict[str, Any]:
        """Say what determines an evaluation's result, as of any row, and which data and prompts."""
        data = self.data
        where = {"content": content} if content else {"hub": data.hub, "revision": data.revision}
        split = {"configs": [name for name in data.configs if name], "split": data.split}
        return {**super().recipe(content), "version": self.version, "data": {**where, **split}}
