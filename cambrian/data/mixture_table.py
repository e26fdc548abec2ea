"""The counts of mixtures as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from cambrian.data.catalog import read_catalog
from cambrian.recipe import Data

SOURCES = 12
"""Sources that are listed one by one beside a plan; of more, their categories."""


def mixture_table(mixtures: Sequence[Data], *, by_source: bool) -> Table:
    """Rows that each of `mixtures` takes of each source or category, and in all."""
    catalog = read_catalog()
    table = Table(title="Mixtures (rows)", title_justify="left")
    table.add_column("source" if by_source else "category (sources)")
    if by_source:
        table.add_column("category")
        table.add_column("on the hub", overflow="fold")
    columns: list[Counter[str]] = []
    members: dict[str, set[str]] = {}
    for data in mixtures:
        table.add_column(data.name if data.is_here else f"{data.name}, published sizes", justify="right")
        column: Counter[str] = Counter()
        for name, count in data.counts.items():
            group = name if by_source else catalog[name].category
            column[group] += count
            members.setdefault(group, set()).add(name)
        columns.append(column)
    for group in sorted(members, key=lambda one: (-max(column[one] for column in columns), one)):
        cells = [f"{column[group]:,}" for column in columns]
        if by_source:
            row = catalog[group]
            table.add_row(row.source, row.category, row.hub or "not known", *cells)
        else:
            table.add_row(f"{group} ({len(members[group])})", *cells)
    table.add_section()
    totals = [f"{sum(column.values()):,}" for column in columns]
    blank = ["", ""] if by_source else []
    table.add_row("all", *blank, *totals)
    table.add_row("trained on", *blank, *[f"{data.examples:,}" for data in mixtures])
    return table


def table_of_plan(data: Sequence[Data]) -> Table | None:
    """The table that a plan shows: each mixture once, by source if there are few; None without any."""
    mixtures = list({one.name: one for one in data if one.counts}.values())
    if not mixtures:
        return None
    sources = {name for one in mixtures for name in one.counts}
    return mixture_table(mixtures, by_source=len(sources) <= SOURCES)
