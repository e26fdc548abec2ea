"""What a row says of its data on the hub: where they are, and how a record becomes a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cambrian.benchmarks.records import Question

Record = Mapping[str, Any]
Adapter = Callable[[Record, int], Question | None]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One split of a data set."""

    hub: str
    """ORGANISATION/NAME."""
    split: str
    configs: tuple[str, ...] = ("",)
    """Configurations that are read one after the other; the empty one is the data set's default."""
    revision: str = "main"
    """Commit, where one is known to be that of the published numbers."""
    file: str = ""
    """The file with the records, where no library would find it: a CSV, JSON or JSONL beside pictures."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Where the picture of a question is."""

    column: str = "image"
    """Column of the record; of a list of pictures the first."""
    config: str = ""
    """Configuration that has the pictures, by its column `id`, if they are not with the questions."""
    path: str = ""
    """Or a file below the folder; `{}` stands for the name that the question has for its picture."""


IN_RECORD = Pictures()
"""Most data sets have it so."""


def is_said(value: object) -> bool:
    """Whether a column that may be empty holds something; tables write emptiness as `nan`, too."""
    return isinstance(value, str) and value not in ("", "nan")
