"""CV-Bench as one number: `python -m analysis.cv_bench`.

The two benchmarks of a store, CV-Bench 2D (the mean of its parts ADE20K and COCO) and CV-Bench 3D, and their
mean, each with its 95 % interval: ((ADE20K + COCO) / 2 + 3D) / 2, as in the paper's appendix on CV-Bench.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pandas as pd

from analysis.command import add_store_options, first_look, read_frame
from analysis.errors import AnalysisError
from analysis.lines import Point, own_lines
from analysis.style import write_csv
from analysis.text import align

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "CV-Bench 2D": ("cvbench_2d",),
    "CV-Bench 3D": ("cvbench_3d",),
    "CV-Bench": ("cvbench_2d", "cvbench_3d"),
}
"""Column -> the benchmarks that it is the mean of."""
_CATEGORY = "vision_centric"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row per design; 2 if there is nothing to show."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.cv_bench", description=(__doc__ or "").split("\n")[0]
    )
    add_store_options(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table here, too")
    options = parser.parse_args(arguments)
    try:
        frame = read_frame(options.store, options.only, runs=options.runs, proxy=options.proxy)
        table = score_runs(frame)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    print(first_look(options.proxy) + _text(table))
    scale = frame["scale"].iloc[0]
    print(f"\nscale {scale}; 95 % intervals; the mean of the halves, however many questions each has")
    if options.csv:
        write_csv(table, options.csv)
        print(options.csv)
    return 0


def score_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """Score every design that was evaluated on both benchmarks; those that lack one are named on stderr.

    Args:
        frame: evaluations, with the columns of results.Row.

    Returns:
        One row per design and column of the table: run, seeds, benchmark, score, low, high, blind, chance.

    Raises:
        AnalysisError: if no model was evaluated on both.
    """
    found = frame[frame["benchmark"].isin(COLUMNS["CV-Bench"])]
    counts = found.groupby("run")["benchmark"].nunique()
    whole = set(counts.index[counts == len(COLUMNS["CV-Bench"])])
    if not whole:
        raise AnalysisError(
            f"no model was evaluated on both halves of CV-Bench ({len(counts)} on one of them); ask both:\n"
            "  python run.py scale=paper 'benchmarks.paper.include=[cvbench_2d,cvbench_3d]' data=FOLDER"
        )
    if len(counts) > len(whole):
        print(f"note: models left out for want of one half: {len(counts) - len(whole)}", file=sys.stderr)
    found = found[found["run"].isin(whole)].reset_index(drop=True)
    rows = []
    for column, benchmarks in COLUMNS.items():
        # Both are of one category, so that a line's point of it is the mean of those that are left here.
        lines = own_lines(found[found["benchmark"].isin(benchmarks)]).lines
        rows += [
            {"run": line.label, "seeds": " ".join(map(str, line.seeds)), "benchmark": column}
            | _numbers(line.points[_CATEGORY])
            for line in lines
        ]
    return pd.DataFrame(rows)


def _numbers(point: Point) -> dict[str, float | None]:
    estimate = point.estimate
    ends = {"score": estimate.score, "low": estimate.low, "high": estimate.high}
    return {**ends, "blind": point.blind, "chance": point.chance}


def _text(table: pd.DataFrame) -> str:
    """Best first; beside the whole what the same model scores without the image."""
    rows = [["", "seeds", *COLUMNS, "blind", "chance"]]
    best = table[table["benchmark"] == "CV-Bench"].sort_values("score", ascending=False)
    for _, last in best.iterrows():
        of_run = table[table["run"] == last["run"]].set_index("benchmark")
        cells = [
            f"{one.score:.1f} [{one.low:.1f}, {one.high:.1f}]" for one in of_run.loc[[*COLUMNS]].itertuples()
        ]
        rows.append([last["run"], last["seeds"], *cells, f"{last['blind']:.1f}", f"{last['chance']:.1f}"])
    return align(rows)


if __name__ == "__main__":
    sys.exit(main())
