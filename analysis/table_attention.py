"""Table "attention": how SVA's attention is shared out among the encoders, by benchmark.

python analysis/table_attention.py --published           the paper's shares of one model
python analysis/table_attention.py --measured FILE ...   own shares, from what was measured of finished models

A FILE is what `python -m cambrian.benchmarks.attention MODEL BENCHMARK ...` prints. Shares are in per cent of
one model's attention on one benchmark and add up to 100; how another seed would share it they do not tell.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.errors import AnalysisError
from analysis.published import benchmark_names
from analysis.published_tables import attention_shares
from analysis.statistics import Estimate
from analysis.table_command import run_file_table
from analysis.tabulation import Row, Table

NAME = "table_attention"
PUBLISHED_TITLES = {"gqa": "GQA", "docvqa": "DocVQA", "scienceqa": "ScienceQA"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and write its files; 2 if there is nothing to show."""
    return run_file_table(
        NAME,
        __doc__ or "",
        "--measured",
        arguments,
        published=published_table,
        own=lambda files: own_table(read_shares(files)),
    )


def published_table() -> Table:
    """The paper's shares."""
    return Table(
        title="Attention of SVA: published results (Cambrian-1)",
        subtitle="share of each encoder in per cent",
        head="encoder",
        columns=PUBLISHED_TITLES,
        rows=tuple(
            Row(
                label=str(row["encoder"]),
                scores={name: Estimate(score=float(row[name])) for name in PUBLISHED_TITLES},
            )
            for row in attention_shares().to_dict(orient="records")
        ),
    )


def read_shares(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Read what was measured, one model per file.

    Raises:
        AnalysisError: if files cannot be read, or hold something else; all are named.
    """
    found, faults = [], []
    for path in files:
        try:
            report = json.loads(path.read_bytes())
            for measured in report["benchmarks"].values():
                if len(measured["shares"]) != len(report["encoders"]):
                    raise ValueError(
                        f"{len(measured['shares'])} shares of {len(report['encoders'])} encoders"
                    )
            found.append(
                {name: report[name] for name in ("label", "scale", "encoders", "benchmarks", "model")}
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            faults.append(f"{path}: {type(error).__name__}: {error}")
    if faults:
        lines = ["not what `python -m cambrian.benchmarks.attention` prints:"]
        raise AnalysisError("\n".join([*lines, *(f"  - {fault}" for fault in faults)]))
    return found


def own_table(reports: Sequence[dict[str, Any]]) -> Table:
    """Shares of each encoder of each model; a benchmark that was not measured is a gap."""
    scales = sorted({str(report["scale"]) for report in reports})
    titles = benchmark_names()
    names = dict.fromkeys(str(name) for report in reports for name in report["benchmarks"])
    return Table(
        title=f"Attention of SVA: own results, scale {', '.join(scales)}",
        subtitle="share of each encoder in per cent, mean over images, queries, heads and layers",
        head="encoder",
        columns={name: titles.get(name, name) for name in names},
        rows=tuple(
            Row(
                label=str(encoder),
                group=str(report["label"]),
                scores={
                    name: Estimate(score=float(measured["shares"][place]))
                    for name, measured in report["benchmarks"].items()
                },
                source="own",
                runs=(str(report["model"]),),
            )
            for report in reports
            for place, encoder in enumerate(report["encoders"])
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
