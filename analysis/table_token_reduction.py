"""Table "token reduction": one encoder's tokens brought down to a sixteenth.

python analysis/table_token_reduction.py               own results, with intervals
python analysis/table_token_reduction.py --published   the paper's four ways from 576 to 36
python analysis/table_token_reduction.py --both        own results at the paper's scale below published ones

Own results are those with at most a sixteenth of the usual visual tokens: 36 of 576, in the lab one of 16.
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

STUDY = "one encoder, 576 to 36 tokens"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table; 2 if there is nothing to show."""
    return run_table(COMMAND, arguments)


def _published() -> tuple[Row, ...]:
    return published_connector_rows(STUDY)


def _own(material: Material, options: argparse.Namespace) -> tuple[Row, ...]:
    return own_connector_rows(COMMAND, material, options, reduced=True)


COMMAND = TableCommand(
    name="table_token_reduction",
    about=__doc__ or "",
    subject="Token reduction",
    head="connector",
    columns=category_columns,
    published=_published,
    own=_own,
    setting="CLIP ViT-L/14@336, 36 tokens, 1.2M adapter data, Vicuna-1.5-7B",
    fill="python run.py -m sweep=table_token_reduction",
)

if __name__ == "__main__":
    sys.exit(main())
