"""Table "leakage": test images of benchmarks that are in training sets.

python analysis/table_leakage.py --published         the paper's counts in its three training sets
python analysis/table_leakage.py --doctor FILE ...   own counts, from what the doctor of data printed

One file of the doctor is one training set against one benchmark:
python -m cambrian.data.doctor DATA --against DIR/benchmarks/ID --json > ID.json

The paper found its counts by hashing images; a copy of an image is not yet a question leaked. Own counts are
of different test images that some training image shows, by difference hashes with a check on the pixels.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.errors import AnalysisError
from analysis.published import benchmark_names
from analysis.published_tables import leaked_images
from analysis.statistics import Estimate
from analysis.table_command import run_file_table
from analysis.tabulation import Row, Table

NAME = "table_leakage"
SETS = {"data_engine": "Cambrian's data engine", "cambrian10m": "Cambrian-10M", "llava665k": "LLaVA-665K"}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the doctor found of one benchmark in one training set."""

    data: str
    benchmark: str
    images: int
    """Different test images of which a copy is in the data."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and write its files; 2 if there is nothing to show."""
    return run_file_table(
        NAME,
        __doc__ or "",
        "--doctor",
        arguments,
        published=published_table,
        own=lambda files: own_table(read_findings(files)),
    )


def published_table() -> Table:
    """The paper's counts, each set's with their share of the benchmark's images."""
    names = {**benchmark_names(), "cvbench": "CV-Bench"}
    rows = []
    for row in leaked_images().to_dict(orient="records"):
        images = int(row["n_images"])
        counts = {column: float(row[column]) for column in SETS}
        shares = {f"{column}_share": 100 * count / images for column, count in counts.items()}
        numbers = {"images": float(images), **counts, **shares}
        scores = {column: Estimate(score=value) for column, value in numbers.items()}
        rows.append(Row(label=names[str(row["benchmark"])], scores=scores))
    titles = {
        title: text
        for column, name in SETS.items()
        for title, text in ((column, name), (f"{column}_share", "%"))
    }
    return Table(
        title="Leakage: published results (Cambrian-1)",
        subtitle="test images that are in a training set, and their share of the benchmark's images",
        head="benchmark",
        columns={"images": "images", **titles},
        rows=tuple(rows),
        counts=frozenset({"images", *SETS}),
    )


def read_findings(files: Sequence[Path]) -> list[Found]:
    """What the doctor printed with --json, one file per training set and benchmark.

    Raises:
        AnalysisError: if files cannot be read, are not the doctor's, or compare with nothing; all are named.
    """
    found, faults = [], []
    for path in files:
        try:
            found.append(_finding(json.loads(path.read_bytes())))
        except (OSError, ValueError, KeyError, TypeError) as error:
            faults.append(f"{path}: {type(error).__name__}: {error}")
    if faults:
        lines = ["not what `python -m cambrian.data.doctor DATA --against DIR --json` prints:"]
        raise AnalysisError("\n".join([*lines, *(f"  - {fault}" for fault in faults)]))
    return found


def _finding(report: dict[str, Any]) -> Found:
    overlap = report["overlap"]
    if overlap["with"] is None:
        raise ValueError("it compares with no test set; give the doctor --against")
    return Found(
        data=Path(report["data"]).name,
        benchmark=Path(overlap["with"]).name,
        images=len({leak["wanted"] for leak in overlap["images"]}),
    )


def own_table(found: Sequence[Found]) -> Table:
    """Counts of each benchmark in each training set; a pair that was not looked at is a gap."""
    names = benchmark_names()
    sets = list(dict.fromkeys(one.data for one in found))
    return Table(
        title="Leakage: own results",
        subtitle="different test images of which a copy is in a training set",
        head="benchmark",
        columns={name: name for name in sets},
        rows=tuple(
            Row(
                label=names.get(benchmark, benchmark),
                scores={
                    one.data: Estimate(score=float(one.images)) for one in found if one.benchmark == benchmark
                },
                source="own",
            )
            for benchmark in dict.fromkeys(one.benchmark for one in found)
        ),
        counts=frozenset(sets),
    )


if __name__ == "__main__":
    sys.exit(main())
