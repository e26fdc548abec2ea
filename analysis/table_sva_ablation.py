"""Table "SVA ablation": the number of its layers D, of its groups G, and layers inside the LLM.

python analysis/table_sva_ablation.py               own results, with intervals
python analysis/table_sva_ablation.py --published   the paper's eight rows
python analysis/table_sva_ablation.py --both        own results at the paper's scale below the published ones

The paper prints the mean of OCR & Chart alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.connector_rows import group_of, lines_with_connectors
from analysis.material import Material
from analysis.published_tables import sva_ablation
from analysis.settings import Connector
from analysis.table_command import (
    TableCommand,
    category_columns,
    none_to_show,
    published_scores,
    row_of,
    run_table,
)
from analysis.tabulation import Row

KNOBS = {"D": "layers", "G": "groups", "multi_agg": "layers inside the LLM"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table; 2 if there is nothing to show."""
    return run_table(COMMAND, arguments)


def _published() -> tuple[Row, ...]:
    return tuple(
        Row(
            label=f"{row['knob']}={row['value']}" if row["knob"] in "DG" else str(row["value"]),
            group=KNOBS[str(row["knob"])],
            scores=published_scores({"ocr_chart": float(row["ocr_chart"])}),
        )
        for row in sva_ablation().to_dict(orient="records")
    )


def _own(material: Material, options: argparse.Namespace) -> tuple[Row, ...]:
    """Every SVA with all visual tokens, those that differ in nothing else together."""
    lines = [
        (line, connector)
        for line, connector in lines_with_connectors(material, options)
        if connector.groups is not None and not connector.is_reduced(line.scale)
    ]
    if not lines:
        raise none_to_show(COMMAND.name, "has an SVA", COMMAND.fill)
    return tuple(row_of(line, _label(connector), group=group_of(line)) for line, connector in lines)


def _label(connector: Connector) -> str:
    inside = f", {connector.inside} layers inside the LLM" if connector.inside else ""
    return f"D={connector.depth}, G={connector.groups}{inside}"


COMMAND = TableCommand(
    name="table_sva_ablation",
    about=__doc__ or "",
    subject="SVA ablation",
    head="SVA",
    columns=category_columns,
    published=_published,
    own=_own,
    setting="SigLIP, CLIP, DINOv2 and ConvNeXt-XXL, 576 tokens, Vicuna-1.5-7B; D varies at G = 1, G at D = 3",
    fill="python run.py -m sweep=table_sva_ablation",
)

if __name__ == "__main__":
    sys.exit(main())
