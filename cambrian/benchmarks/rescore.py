"""Score stored evaluations again, from their files alone: `python -m cambrian.benchmarks.rescore STORE`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cambrian.benchmarks.authors import AUTHORS
from cambrian.benchmarks.records import PREDICTIONS_FILE, QUESTIONS_FILE, read_predictions, read_questions
from cambrian.benchmarks.scoring import PAPER, PROTOCOLS, STRICT, Score, rules_of, score
from cambrian.benchmarks.units import UNITS_FILE, read_units, unit_differences
from cambrian.errors import UserError

_TOLERANCE = 1e-9
"""Percentage points; stored numbers are the same sums in the same order."""


def rescore(directory: Path, protocol: str = STRICT) -> Score:
    """Score one stored evaluation again, by either protocol.

    Raises:
        UserError: if its files are missing, damaged, or do not fit each other, or if there is no scorer for
            its benchmark.
    """
    manifest = read_manifest(directory)
    if "unscored" in manifest["metrics"]:
        raise UserError(
            f"{manifest['recipe']['benchmark']['id']} has no score: {manifest['metrics']['unscored']}"
        )
    return score(
        rules_of(manifest["recipe"]["benchmark"]),
        read_questions(directory / QUESTIONS_FILE),
        read_predictions(directory / PREDICTIONS_FILE),
        protocol=protocol,
        blind=manifest["recipe"].get("blind", True),
    )


def format_points(value: float | None, sign: str = "") -> str:
    """Write a score or a difference; a hyphen where there is none."""
    return "-" if value is None else f"{value:{sign}.2f}"


def differences(stored: Mapping[str, Any], again: Mapping[str, float | int]) -> list[str]:
    """Name each metric of `again` that the stored metrics lack or hold with another value."""
    found = []
    for name, value in again.items():
        if name not in stored:
            found.append(f"{name} not stored, now {value:.6g}")
        elif not math.isclose(stored[name], value, rel_tol=0.0, abs_tol=_TOLERANCE):
            found.append(f"{name} stored {stored[name]:.6g}, now {value:.6g}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every stored evaluation scored again; 1 if one differs or is unreadable, 2 if there is none."""
    parser = argparse.ArgumentParser(prog="python -m cambrian.benchmarks.rescore", description=__doc__)
    parser.add_argument("store", type=Path, metavar="STORE", help="directory of finished stages")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=STRICT,
        help="strict: our matchers, held against the stored numbers; paper: what the authors' scorers give",
    )
    given = parser.parse_args(arguments)
    store: Path = given.store
    directories = sorted(path.parent for path in (store / "evaluate").glob("*/manifest.json"))
    if not directories:
        print(f"no evaluations below {store / 'evaluate'}; is this a store?", file=sys.stderr)
        return 2
    bad = 0
    for directory in directories:
        line, good = _line(directory, given.protocol)
        bad += not good
        print(line)
    print(f"{len(directories)} evaluations scored again, {bad} different or unreadable")
    return 1 if bad else 0


def _line(directory: Path, protocol: str) -> tuple[str, bool]:
    name = directory.name[:12]
    try:
        manifest = read_manifest(directory)
        benchmark = manifest["recipe"]["benchmark"]["id"]
        if "unscored" in manifest["metrics"]:
            return f"{name}  {benchmark:24s} no score: {manifest['metrics']['unscored']}", True
        if protocol == PAPER and benchmark not in AUTHORS:
            return f"{name}  {benchmark:24s} the authors have no scorer for it", True
        again = rescore(directory, protocol)
        stored = manifest["metrics"]
        found = differences(stored, again.metrics() if protocol == STRICT else _as_stored(stored, again))
        units = directory / UNITS_FILE
        if protocol == STRICT and units.exists():
            found += unit_differences(read_units(units), again)
    except (UserError, KeyError, TypeError, OSError) as error:
        return f"{name}  UNREADABLE  {error}", False
    numbers = (
        f"{again.score:6.2f} [{again.low:.2f}, {again.high:.2f}]  blind {format_points(again.blind):>6}  "
        f"vision gain {format_points(again.vision_gain, '+'):>6}  n {again.n}"
    )
    read = f"unparsed {again.unparsed:.1f}%" if protocol == STRICT else f"crashes {again.unparsed:.1f}%"
    total = stored.get("total", again.n)
    whole = f"  PARTIAL: {again.n} of {total} questions" if total > again.n else ""
    verdict = f"DIFFERS: {'; '.join(found)}" if found else "same"
    if not units.exists():
        verdict += f" (older than {UNITS_FILE}, which paired comparisons need)"
    return f"{name}  {benchmark:24s} {numbers}  {read}{whole}  {verdict}", not found


def _as_stored(stored: Mapping[str, Any], again: Score) -> dict[str, float]:
    """The authors' numbers under the names that the strict protocol stores them by, if it did."""
    numbers = {"paper_score": again.score, "paper_blind": again.blind}
    return {name: value for name, value in numbers.items() if name in stored and value is not None}


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read what is known of a stored evaluation.

    Raises:
        UserError: if it is not JSON.
    """
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from error
    return manifest


if __name__ == "__main__":
    sys.exit(main())
