"""Table "state of the art": Cambrian-1 beside other models, by LLM.

python analysis/table_sota.py               own results, with intervals
python analysis/table_sota.py --published   the paper's fifteen models
python analysis/table_sota.py --both        own results at the paper's scale below the published ones

Scores are from 0 to 100; MME-P is divided by 20 to that end. Means of categories follow from the scores, and
agree with those that the paper prints; a model without all four of a category has none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.material import Material
from analysis.published import CATEGORIES, benchmarks
from analysis.published_tables import final_models
from analysis.table_command import (
    TableCommand,
    benchmark_columns,
    own_lines_of,
    published_scores,
    row_of,
    run_table,
)
from analysis.tabulation import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table; 2 if there is nothing to show."""
    return run_table(COMMAND, arguments)


def _columns(material: Material) -> Mapping[str, str]:
    """Each category's mean, followed by its benchmarks."""
    groups = benchmarks() if material.own is None else material.own.benchmarks
    names = benchmark_columns(material)
    return {
        column: title
        for category, ids in groups.items()
        for column, title in ((category, CATEGORIES[category]), *((each, names[each]) for each in ids))
    }


def _published() -> tuple[Row, ...]:
    return tuple(
        Row(
            label=f"{model.name} ({model.visual_tokens} tokens)" if model.visual_tokens else model.name,
            group=model.llm,
            scores=published_scores({**model.means, **model.scores}),
        )
        for model in final_models()
    )


def _own(material: Material, _: argparse.Namespace) -> tuple[Row, ...]:
    lines = sorted(own_lines_of(material), key=lambda line: line.design["llm"])
    return tuple(row_of(line, line.label, group=line.design["llm"]) for line in lines)


COMMAND = TableCommand(
    name="table_sota",
    about=__doc__ or "",
    subject="State of the art",
    head="model",
    columns=_columns,
    published=_published,
    own=_own,
    setting="Cambrian-1 and, as the paper prints them, other models",
    fill="python run.py -m sweep=cambrian1",
)

if __name__ == "__main__":
    sys.exit(main())
