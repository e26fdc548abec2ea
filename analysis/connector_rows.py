"""Rows of the tables that compare connectors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from analysis.errors import AnalysisError
from analysis.lines import Line
from analysis.material import Material
from analysis.published import AVERAGE, CATEGORIES
from analysis.published_tables import connector_scores
from analysis.results import MANIFEST, open_store
from analysis.settings import Connector, read_connectors
from analysis.statistics import mean
from analysis.table_command import TableCommand, none_to_show, own_lines_of, published_scores, row_of
from analysis.tabulation import Row


def published_connector_rows(study: str) -> tuple[Row, ...]:
    """The paper's connectors in one of its two studies."""
    table = connector_scores()
    rows = []
    for row in table[table["study"] == study].to_dict(orient="records"):
        means = {name: float(row[name]) for name in CATEGORIES}
        scores = published_scores({**means, AVERAGE: mean(list(means.values()))})
        rows.append(Row(label=str(row["connector"]), scores=scores))
    return tuple(rows)


def own_connector_rows(
    command: TableCommand, material: Material, options: argparse.Namespace, *, reduced: bool
) -> tuple[Row, ...]:
    """Own lines whose visual tokens are reduced, or are not; those with the same encoders stand together.

    Raises:
        AnalysisError: if there are none.
    """
    lines = [
        (line, connector)
        for line, connector in lines_with_connectors(material, options)
        if connector.is_reduced(line.scale) == reduced
    ]
    if not lines:
        what = "has a sixteenth of the usual visual tokens" if reduced else "has all visual tokens"
        raise none_to_show(command.name, what, command.fill)
    return tuple(
        row_of(line, f"{line.design['connector']}{_details(connector)}", group=group_of(line))
        for line, connector in sorted(lines, key=lambda pair: group_of(pair[0]))
    )


def lines_with_connectors(
    material: Material, options: argparse.Namespace
) -> Sequence[tuple[Line, Connector]]:
    """Own lines, each with the connector of its models.

    Raises:
        AnalysisError: if models of one line have different connectors.
    """
    lines = own_lines_of(material)
    with open_store(options.store, more=(f"tune/*/{MANIFEST}",)) as store:
        connectors = read_connectors(store, sorted({run for line in lines for run in line.runs}))
    mixed = [line.label for line in lines if len({connectors[run] for run in line.runs}) > 1]
    if mixed:
        raise AnalysisError(
            f"models of different connector settings have one name: {', '.join(mixed)}; "
            "choose among them with --runs"
        )
    return [(line, connectors[line.runs[0]]) for line in lines]


def group_of(line: Line) -> str:
    """What a line shares with those whose connectors it is compared with."""
    others = [line.design[axis] for axis in ("adapter", "vision", "instruct", "llm")]
    return " ".join([line.encoder, *others])


def _details(connector: Connector) -> str:
    side = [] if connector.side is None else [f"{connector.side**2} tokens"]
    sva = [] if connector.groups is None else [f"D={connector.depth}", f"G={connector.groups}"]
    inside = [f"{connector.inside} layers in the LLM"] if connector.inside else []
    parts = [*side, *sva, *inside]
    return f" ({', '.join(parts)})" if parts else ""
