"""The credits behind a score, as a table that analyses read quickly.

Every score is full * sum(weight * credit) over units. A unit is a question, or the group of questions that is
only right together: a pair of MMVP, a circle of MMBench, a picture of MME.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from cambrian.benchmarks.records import Question
from cambrian.benchmarks.result import Score
from cambrian.benchmarks.scoring import Rules, item_of
from cambrian.benchmarks.totals import METRICS
from cambrian.errors import DataError

UNITS_FILE = "units.arrow"
FULL = b"full"
"""Key of the file's metadata: the score if every credit is 1, as a decimal number."""
SCHEMA = pa.schema(
    [
        ("unit", pa.string()),
        ("cluster", pa.string()),
        ("part", pa.string()),
        ("weight", pa.float64()),
        ("sighted", pa.float32()),
        ("blind", pa.float32()),
    ]
)
"""Names are unique among the units of a benchmark; a cluster is one draw of an interval; weights sum to 1."""

_TOLERANCE = 1e-4
"""Percentage points by which credits of single precision may miss a score."""


def units_table(rules: Rules, questions: Sequence[Question], score: Score) -> pa.Table:
    """Make the table of a score by the strict protocol, in the order of the questions.

    Without answers that were given blind, those credits are no numbers.
    """
    total = METRICS[rules.metric].total
    items = [item_of(rules, question) for question in questions]
    sighted = total.split(items, [verdict.sighted_credit for verdict in score.verdicts])
    blind = total.split(items, [verdict.blind_credit for verdict in score.verdicts])
    asked_blind = score.blind is not None
    columns = {
        "unit": [unit.name for unit in sighted],
        "cluster": [unit.cluster for unit in sighted],
        "part": [unit.part for unit in sighted],
        "weight": total.weights(sighted),
        "sighted": [unit.credit for unit in sighted],
        "blind": [unit.credit if asked_blind else math.nan for unit in blind],
    }
    return pa.table(columns, schema=SCHEMA.with_metadata({FULL: repr(total.full(sighted))}))


def write_units(path: Path, table: pa.Table) -> None:
    """Write the table as an Arrow file of one record batch."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())


def read_units(path: Path) -> pa.Table:
    """Read what `write_units` wrote.

    Raises:
        DataError: if there is no such file, or it is not one of these.
    """
    try:
        with pa.OSFile(str(path), "rb") as file:
            table = pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: {error}") from error
    if table.schema != SCHEMA or FULL not in (table.schema.metadata or {}):
        raise DataError(f"{path}: no table of units; it has the columns {', '.join(table.column_names)}")
    return table


def score_of(table: pa.Table, column: str = "sighted") -> float:
    """Sum up the credits in `column`."""
    pairs = zip(table["weight"].to_pylist(), table[column].to_pylist(), strict=True)
    return float(table.schema.metadata[FULL]) * math.fsum(weight * credit for weight, credit in pairs)


def unit_differences(table: pa.Table, score: Score) -> list[str]:
    """Name the scores that the credits in `table` do not sum up to."""
    sums = {"score": (score_of(table), score.score)}
    if score.blind is not None:
        sums["blind"] = (score_of(table, "blind"), score.blind)
    return [
        f"{name} of the units {found:.6g}, now {wanted:.6g}"
        for name, (found, wanted) in sums.items()
        if not math.isclose(found, wanted, rel_tol=1e-6, abs_tol=_TOLERANCE)
    ]
