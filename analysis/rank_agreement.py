"""Whether own results put the encoders in the paper's order: rank correlations with intervals.

python analysis/rank_agreement.py --scale mini   each design in the store beside the paper's numbers for it

Scores of different scales share no axis, but orders can be compared. Encoders are compared with the paper's
rows of the same adapter data, freezing and instruction data (an MLP and Vicuna-1.5-7B), category by category.
Intervals come from resampling encoders, seeds and benchmarks; with few encoders they are wide.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pandas as pd

from analysis.command import add_store_options, first_look, read_frame
from analysis.errors import AnalysisError
from analysis.published import CATEGORIES
from analysis.ranking import DRAWS, LEAST, Coefficient, Comparison, compare
from analysis.style import write_csv
from analysis.text import align

SCALES = ("lab", "mini", "paper")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table per design; 2 if there is nothing to compare."""
    parser = argparse.ArgumentParser(
        prog="rank_agreement.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_store_options(parser)
    parser.add_argument("--scale", choices=SCALES, help="results of this scale; the same as --only scale=...")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row per category here, too")
    options = parser.parse_args(arguments)
    only = [*options.only, *([] if options.scale is None else [f"scale={options.scale}"])]
    try:
        frame = read_frame(options.store, only, runs=options.runs, proxy=options.proxy)
        comparisons = compare(frame)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n\n".join(first_look(options.proxy) + _text(comparison) for comparison in comparisons))
    print(f"\n95 % intervals: {DRAWS:,} draws of encoders, of their seeds, and of benchmarks of a category")
    if options.csv:
        write_csv(_to_frame(comparisons), options.csv)
        print(options.csv)
    return 0


def _text(comparison: Comparison) -> str:
    design = ", ".join(f"{axis} {choice}" for axis, choice in comparison.design.items())
    scale = comparison.design["scale"]
    rows = [["", "encoders", "Spearman", "Kendall tau-b"]]
    for one in comparison.agreements:
        few = f"too few encoders: {LEAST} are needed"
        cells = [few, ""] if one.spearman is None else [str(one.spearman), str(one.kendall)]
        rows.append([CATEGORIES.get(one.category, one.category), str(len(one.encoders)), *cells])
    lines = [f"{design}; beside the paper's MLP and Vicuna-1.5-7B"]
    if scale != "paper":
        lines.append(f"scale {scale} is not the paper's: only orders are compared, never scores")
    lines.append(align(rows))
    average = comparison.agreements[-1]
    if average.encoders:
        lines += [
            f"own order, by average:   {', '.join(average.encoders)}",
            f"paper's order:           {', '.join(average.published)}",
        ]
    return "\n".join([*lines, *(f"note: {note}" for note in comparison.notes)])


def _to_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row per design and category."""
    return pd.DataFrame(
        [
            {
                **comparison.design,
                "category": one.category,
                "encoders": len(one.encoders),
                **_columns("spearman", one.spearman),
                **_columns("kendall", one.kendall),
                "own_order": " ".join(one.encoders),
                "published_order": " ".join(one.published),
            }
            for comparison in comparisons
            for one in comparison.agreements
        ]
    )


def _columns(name: str, coefficient: Coefficient | None) -> dict[str, float | None]:
    ends = ("", "value"), ("_low", "low"), ("_high", "high")
    return {f"{name}{end}": None if coefficient is None else getattr(coefficient, key) for end, key in ends}


if __name__ == "__main__":
    sys.exit(main())
