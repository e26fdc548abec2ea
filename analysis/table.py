"""Results of a store as a table: `python -m analysis.table`.

One row per run: the mean of each category with its 95 % interval, blind and chance levels, and the average of
the categories.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.command import add_store_options, first_look, read_lines
from analysis.errors import AnalysisError
from analysis.lines import Line, to_frame
from analysis.published import CATEGORIES
from analysis.statistics import Estimate, mean
from analysis.style import write_csv
from analysis.text import align


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 if there is nothing to show."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.table", description=(__doc__ or "").split("\n")[0]
    )
    add_store_options(parser)
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write one row per run and category here, too"
    )
    options = parser.parse_args(arguments)
    try:
        own = read_lines(options.store, options.only, runs=options.runs, proxy=options.proxy)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    print(text_table(own.lines, blind=True))
    counts = ", ".join(f"{CATEGORIES[name]} {len(names)}" for name, names in own.benchmarks.items())
    look, scale = first_look(options.proxy), own.lines[0].scale
    print(f"\n{look}scale {scale}; benchmarks per category: {counts}; 95 % intervals")
    if options.csv:
        write_csv(to_frame(own.lines), options.csv)
        print(options.csv)
    return 0


def text_table(lines: Sequence[Line], *, blind: bool = False) -> str:
    """`lines` from best to worst average, with intervals where there are any, and the level of chance.

    `blind` adds to each cell what the same model scores without the image, and the mean gain of seeing it.
    """
    ordered = sorted(lines, key=lambda line: line.average.score if line.average else -1.0, reverse=True)
    rows = [
        ["", "supervision", "seeds", *CATEGORIES.values(), "average", *(["vision gain"] if blind else [])]
    ]
    for line in ordered:
        cells = [_cell(line, category, blind=blind) for category in CATEGORIES]
        seeds = ",".join(str(seed) for seed in line.seeds) or "-"
        gain = [_signed(line.gain)] if blind else []
        rows.append([line.label, line.supervision, seeds, *cells, _interval(line.average), *gain])
    chance = [_chance(ordered, category) for category in CATEGORIES]
    if any(chance):
        rows.append(["chance", "", "", *chance, *[""] * (len(rows[0]) - 3 - len(chance))])
    return align(rows)


def _cell(line: Line, category: str, *, blind: bool) -> str:
    if category not in line.points:
        return "-"
    point = line.points[category]
    without_image = f" blind {point.blind:.1f}" if blind and point.blind is not None else ""
    return _interval(point.estimate) + without_image


def _signed(points: float | None) -> str:
    return "-" if points is None else f"{points:+.1f}"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.score:.1f}"
    return f"{estimate.score:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


def _chance(lines: Sequence[Line], category: str) -> str:
    levels = [
        line.points[category].chance
        for line in lines
        if category in line.points and line.points[category].chance is not None
    ]
    return f"{mean([level for level in levels if level is not None]):.1f}" if levels else ""


if __name__ == "__main__":
    sys.exit(main())
