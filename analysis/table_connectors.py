"""Table "connectors": the same encoders, connected in different ways.

python analysis/table_connectors.py               own results, with intervals, encoders by encoders
python analysis/table_connectors.py --published   the paper's four connectors of four encoders
python analysis/table_connectors.py --both        own results at the paper's scale below the published ones

The paper prints the means of the categories alone, one model each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.connector_rows import own_connector_rows, published_connector_rows
from analysis.material import Material
from analysis.table_command import TableCommand, category_columns, run_table
from analysis.tabulation import Row

STUDY = "four encoders, 576 tokens"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table; 2 if there is nothing to show."""
    return run_table(COMMAND, arguments)


def _published() -> tuple[Row, ...]:
    return published_connector_rows(STUDY)


def _own(material: Material, options: argparse.Namespace) -> tuple[Row, ...]:
    return own_connector_rows(COMMAND, material, options, reduced=False)


COMMAND = TableCommand(
    name="table_connectors",
    about=__doc__ or "",
    subject="Connectors",
    head="connector",
    columns=category_columns,
    published=_published,
    own=_own,
    setting="SigLIP, CLIP, DINOv2 and ConvNeXt-XXL, 576 tokens, 1.2M adapter data, Vicuna-1.5-7B",
    fill="python run.py -m sweep=table_connectors",
)

if __name__ == "__main__":
    sys.exit(main())
