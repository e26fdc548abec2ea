"""Score a file of predictions alone, without a model: `python -m cambrian.benchmarks.score FILE`.

One line per prediction: id, benchmark, prediction, answer, options; `cambrian/benchmarks/sheets.py` has all
keys. How an answer is read and scored says the benchmark's row; for one that is not in the table, --matcher
and --metric.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.benchmarks.authors import AUTHORS
from cambrian.benchmarks.matchers import MATCHERS
from cambrian.benchmarks.rescore import format_points
from cambrian.benchmarks.rows import Benchmark
from cambrian.benchmarks.scoring import PAPER, PROTOCOLS, STRICT, Score, score
from cambrian.benchmarks.sheets import Sheet, read_sheets
from cambrian.benchmarks.totals import METRICS
from cambrian.errors import UserError, leaving_on_user_error


@dataclass(frozen=True, kw_only=True)
class Result:
    """The score of one benchmark of a file."""

    score: Score
    total: int
    """Questions that the benchmark has; 0 where that is not known."""

    @property
    def is_partial(self) -> bool:
        """Whether the file holds but a part of the benchmark."""
        return self.total > self.score.n

    def metrics(self) -> dict[str, Any]:
        """Every number by name; `blind` is None where the file does not tell it."""
        blind = {"blind": self.score.blind, "vision_gain": self.score.vision_gain}
        whole = {"total": self.total, "partial": self.is_partial}
        return {"benchmark": self.score.benchmark, **self.score.metrics(), **blind, **whole}


def score_sheets(sheets: Mapping[str, Sheet], protocol: str = STRICT) -> list[Result]:
    """Score each benchmark of a file, by either protocol; `paper` leaves out what the authors do not score.

    Raises:
        UserError: if the predictions of any do not fit its questions; all such benchmarks are listed.
    """
    results, faults = [], []
    for sheet in sheets.values():
        if protocol == PAPER and sheet.rules.id not in AUTHORS:
            continue
        asked = list(sheet.questions.values())
        try:
            found = score(sheet.rules, asked, sheet.predictions, protocol=protocol, blind=sheet.has_blind)
        except UserError as fault:
            faults.append(str(fault))
            continue
        total = sheet.rules.questions if isinstance(sheet.rules, Benchmark) else 0
        results.append(Result(score=found, total=total))
    if faults:
        raise UserError("\n".join(faults))
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row per benchmark.

    Raises:
        UserError: if the file cannot be scored; says all that is wrong with it.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.metric and not given.matcher:
        parser.error("--metric says how read answers are scored; --matcher, how they are read, is missing")
    sheets = read_sheets(given.file, given.matcher, given.metric)
    results = score_sheets(sheets, given.protocol)
    left_out = sheets.keys() - {result.score.benchmark for result in results}
    if left_out:
        print(f"note: the authors have no scorer for {', '.join(sorted(left_out))}", file=sys.stderr)
    if given.json:
        listed = [result.metrics() for result in results]
        print(json.dumps({"protocol": given.protocol, "benchmarks": listed}, indent=1))
        return 0
    print(_table(results, given.protocol))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cambrian.benchmarks.score",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="JSONL, or a JSON array")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=STRICT,
        help="strict: our matchers (default); paper: as the authors' scorers do, bug for bug",
    )
    parser.add_argument("--matcher", choices=sorted(MATCHERS), help="of benchmarks that have no row")
    parser.add_argument(
        "--metric", choices=sorted(METRICS), help="of benchmarks that have no row (default: accuracy)"
    )
    parser.add_argument("--json", action="store_true", help="all numbers as one JSON object")
    return parser


def _table(results: Sequence[Result], protocol: str) -> str:
    lost = "crashes" if protocol == PAPER else "unparsed"
    head = ["benchmark", "n", "score", "95 %", "blind", "vision gain", "chance", "majority", lost, ""]
    rows = [head, *(_cells(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cells(result: Result) -> list[str]:
    one = result.score
    return [
        one.benchmark,
        f"{one.n:,}",
        f"{one.score:.2f}",
        f"{one.low:.2f} to {one.high:.2f}",
        *(format_points(one.blind), format_points(one.vision_gain, "+")),
        f"{one.chance:.2f}",
        f"{one.majority:.2f}",
        f"{one.unparsed:.1f}%",
        f"PARTIAL: {one.n:,} of {result.total:,} questions" if result.is_partial else "",
    ]


if __name__ == "__main__":
    with leaving_on_user_error():
        sys.exit(main())
