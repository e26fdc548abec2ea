"""Table "model ensembles": what several encoders together score.

python analysis/table_ensembles.py               own results of several encoders, with intervals
python analysis/table_ensembles.py --published   the paper's seven combinations
python analysis/table_ensembles.py --both        own results at the paper's scale below the published ones

Scores are from 0 to 100; MME-P is divided by 20 to that end. The average is that of the four categories; with
four benchmarks each, as in the paper, also that of the benchmarks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.material import Material
from analysis.published import AVERAGE, scored
from analysis.published_tables import ensemble_scores
from analysis.statistics import mean
from analysis.table_command import (
    TableCommand,
    benchmark_columns,
    none_to_show,
    own_lines_of,
    published_scores,
    row_of,
    run_table,
)
from analysis.tabulation import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table; 2 if there is nothing to show."""
    return run_table(COMMAND, arguments)


def _published() -> tuple[Row, ...]:
    rows = []
    for row in ensemble_scores().to_dict(orient="records"):
        numbers = scored(row)
        means = {**numbers["means"], AVERAGE: mean(list(numbers["means"].values()))}
        scores = published_scores({**means, **numbers["scores"]})
        rows.append(Row(label=str(row["encoders"]), scores=scores))
    return tuple(rows)


def _own(material: Material, _: argparse.Namespace) -> tuple[Row, ...]:
    lines = [line for line in own_lines_of(material) if "+" in line.encoder]
    if not lines:
        raise none_to_show(COMMAND.name, "is of several encoders", COMMAND.fill)
    return tuple(row_of(line, line.label) for line in lines)


COMMAND = TableCommand(
    name="table_ensembles",
    about=__doc__ or "",
    subject="Model ensembles",
    head="encoders",
    columns=benchmark_columns,
    published=_published,
    own=_own,
    setting="concat, 576 tokens, 1.2M adapter data, frozen encoders, 737K instruction data, Vicuna-1.5-7B",
    fill="python run.py -m sweep=table_ensembles",
)

if __name__ == "__main__":
    sys.exit(main())
