"""The sources that the study's training data is mixed from: file names, categories, sizes, origins.

What Figure 9 of the paper lists, in rounded thousands, with a source and what curation took out of it
("Filtered DVQA") as one; and the whole data sets that its mixtures name. The hub id says where rows can be
had, not that they are in LLaVA's format there.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cambrian.data.response_format import SENTENCES
from cambrian.errors import UserError, unknown_name

CATALOG = Path(__file__).with_name("catalog.csv")
CATEGORIES = ("language", "general", "ocr", "counting", "math", "code", "science")
"""Of Cambrian-10M, in the order of the paper's ratios."""
LANGUAGE = "language"
GROUPS = ("all", "multimodal")
"""What stands for several sources: those of Cambrian-10M, and those of them with images."""


@dataclass(frozen=True, kw_only=True)
class CatalogRow:
    """One source."""

    file: str
    """Its file is DIR/FILE.jsonl or another form of a data set under that name."""
    source: str
    """As the paper calls it."""
    category: str
    """One of `CATEGORIES`; `mixed` or `captions` for whole data sets that are no part of Cambrian-10M."""
    rows: int
    """As published, most often rounded to thousands."""
    response_format: tuple[str, ...]
    """Sentences that say which answers its questions want."""
    hub: str
    """Data set of the hub that holds it; empty if there is none that is known."""


@cache
def read_catalog() -> Mapping[str, CatalogRow]:
    """All sources by the name of their file."""
    with CATALOG.open(newline="") as file:
        return {row["file"]: _read(row) for row in csv.DictReader(file)}


def find_sources(named: str | Sequence[str]) -> tuple[str, ...]:
    """Give the file names that `all`, `multimodal` or a list of names means.

    Raises:
        UserError: if a name is not in the catalog.
    """
    catalog = read_catalog()
    if isinstance(named, str):
        if named not in GROUPS:
            raise UserError(unknown_name("group of sources", named, GROUPS))
        left_out = LANGUAGE if named == "multimodal" else ""
        return tuple(
            n for n, row in catalog.items() if row.category in CATEGORIES and row.category != left_out
        )
    for name in named:
        if name not in catalog:
            raise UserError(unknown_name("source", name, catalog))
    return tuple(dict.fromkeys(named))


def _read(row: Mapping[str, str]) -> CatalogRow:
    sentences = tuple(SENTENCES[int(number)] for number in row["response_format"].split())
    return CatalogRow(
        file=row["file"],
        source=row["source"],
        category=row["category"],
        rows=int(row["rows"]),
        response_format=sentences,
        hub=row["hub"],
    )
