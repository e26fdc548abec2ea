"""Table "data": thresholds t per source, ratios of categories, and whole mixtures for instruction tuning.

python analysis/table_data.py               own results, with intervals
python analysis/table_data.py --published   the paper's four thresholds, five ratios and three mixtures
python analysis/table_data.py --both        own results at the paper's scale below the published ones

Of the three mixtures the paper prints the means of the categories alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.lines import published_lines
from analysis.material import Material
from analysis.published import ratio_models
from analysis.published_tables import balance_models, mix_scores
from analysis.ranks import COLUMNS
from analysis.table_command import (
    TableCommand,
    category_columns,
    own_lines_of,
    published_scores,
    row_of,
    run_table,
)
from analysis.tabulation import Row

GROUPS = {"balance_": "at most t rows of each source", "ratio_": "ratios of categories, 1350K rows"}
"""Start of a mixture's name -> the study it belongs to."""
MIXTURES = "mixtures"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table; 2 if there is nothing to show."""
    return run_table(COMMAND, arguments)


def _published() -> tuple[Row, ...]:
    scored = [
        row_of(line, line.design["instruct"], group=_group(line.design["instruct"]))
        for line in published_lines([*balance_models(), *ratio_models()])
    ]
    mixed = [
        Row(
            label=str(row["mix"]),
            group=MIXTURES,
            scores=published_scores({name: float(row[name]) for name in COLUMNS}),
        )
        for row in mix_scores().to_dict(orient="records")
    ]
    return (*scored, *mixed)


def _own(material: Material, _: argparse.Namespace) -> tuple[Row, ...]:
    rows = [
        row_of(line, f"{line.design['instruct']}: {line.label}", group=_group(line.design["instruct"]))
        for line in own_lines_of(material)
    ]
    order = [*GROUPS.values(), MIXTURES]
    return tuple(sorted(rows, key=lambda row: order.index(row.group)))


def _group(instruct: str) -> str:
    return next((group for start, group in GROUPS.items() if instruct.startswith(start)), MIXTURES)


COMMAND = TableCommand(
    name="table_data",
    about=__doc__ or "",
    subject="Instruction data",
    head="data",
    columns=category_columns,
    published=_published,
    own=_own,
    setting="CLIP ViT-L/14@336, no adapter data, frozen encoder, Vicuna-1.5-7B",
    fill="python run.py -m instruct=665k,737k",
)

if __name__ == "__main__":
    sys.exit(main())
