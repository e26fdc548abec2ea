"""A store as one HTML file that opens from disk: python -m analysis.report [--store PLACE]

Figure 6 to explore, all results to sort and filter, models compared question by question with pictures and
raw answers, findings, costs and failures, and where every number is from. The file needs no network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a folder: the package is found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from analysis.command import FIRST_RUN, add_store_options, chosen
from analysis.errors import AnalysisError
from analysis.report.content import gather
from analysis.report.page import render
from analysis.report.provenance import report_command
from analysis.results import MANIFEST, ROOT, open_store, read_results
from analysis.style import write_bytes
from analysis.units import UNITS_FILE
from cambrian.benchmarks.records import PREDICTIONS_FILE, QUESTIONS_FILE
from cambrian.stages.base import KINDS

FILES = (UNITS_FILE, QUESTIONS_FILE, PREDICTIONS_FILE)
"""What is read of an evaluation besides its manifest."""
OTHER_STAGES = (*(f"{kind}/*/{MANIFEST}" for kind in KINDS if kind != "evaluate"), "failed/*.json")
"""What is read of other stages, for costs, failures and provenance."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report and print where it is; 2 if the choice of results cannot be met."""
    options = _parser().parse_args(arguments)
    command = report_command(options.store, options.only, options.runs, options.data)
    try:
        with open_store(options.store, FILES, OTHER_STAGES) as store:
            results = read_results(store)
            frame = results.frame
            if not frame.empty:
                frame = chosen(frame, options.only, options.runs)
            else:
                print(
                    f"note: no results in {options.store or store}; make some: {FIRST_RUN}", file=sys.stderr
                )
            content = gather(store, results, frame, command=command, data=options.data)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    for note in content.notes:
        print(f"note: {note}", file=sys.stderr)
    page = render(content)
    write_bytes(page, options.out)
    print(
        f"{options.out}  ({len(page) / 1e6:.1f} MB, {content.models} models, {content.benchmarks} benchmarks)"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser, first_looks=False)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with copies of the hub's benchmarks, as in data=DIR, for their pictures",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "figures" / "report.html",
        metavar="FILE",
        help="the file to write (default: figures/report.html of this project)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
