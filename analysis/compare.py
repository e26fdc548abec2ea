"""Whether one design is better than another, on the same questions: `python -m analysis.compare A B`.

python -m analysis.compare encoder=siglip encoder=dinov2 --only connector=sva
python -m analysis.compare encoder=siglip,vision=unfrozen encoder=siglip,vision=frozen

Differences are A minus B in points, with 95 % intervals and p-values by Student's t over clusters of
questions, and Holm's correction among benchmarks and among categories.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pandas as pd

from analysis.command import add_store_options, chosen_axes, first_look, read_credits
from analysis.designs import AXES
from analysis.errors import AnalysisError
from analysis.paired import LEVELS, Comparison, compare
from analysis.published import CATEGORIES
from analysis.results import choose
from analysis.style import write_csv
from analysis.text import align, p_value


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the differences; 2 if the designs cannot be compared."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for side in ("A", "B"):
        parser.add_argument(
            side.lower(), metavar=side, help="one design: AXIS=VALUE, several joined by commas"
        )
    add_store_options(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row per difference here, too")
    options = parser.parse_args(arguments)
    try:
        frame, credits = read_credits(options.store, options.only, runs=options.runs, proxy=options.proxy)
        first, second = (design_of(frame, text) for text in (options.a, options.b))
        comparison = compare(credits, first, second)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    print(first_look(options.proxy) + _text(comparison, options.a, options.b, (len(first), len(second))))
    if options.csv:
        write_csv(comparison.to_frame(), options.csv)
        print(options.csv)
    return 0


def design_of(frame: pd.DataFrame, text: str) -> list[str]:
    """Digests of the seeds of the one design in `frame` that `text` chooses, such as `encoder=siglip`.

    Raises:
        AnalysisError: if it chooses several designs; says by which axes to choose among them.
    """
    part = choose(frame, chosen_axes(text.split(",")))
    varying = {axis: sorted(set(part[axis].astype(str))) for axis in AXES if part[axis].nunique() > 1}
    if varying:
        choices = "; ".join(f"{axis}: {', '.join(values)}" for axis, values in varying.items())
        axis, values = next(iter(varying.items()))
        raise AnalysisError(
            f"'{text}' is several designs, which differ in {choices}\n"
            f"  choose one: {text},{axis}={values[0]}, or for both sides --only {axis}={values[0]}"
        )
    models = part[["run", "seed"]].drop_duplicates().sort_values("seed")
    if models["seed"].duplicated().any():
        raise AnalysisError(
            f"'{text}' is several models of one seed, which differ in other settings or versions: "
            f"{', '.join(models['run'].str[:12])}\n  choose among them with --runs FILE"
        )
    return list(models["run"])


def _text(comparison: Comparison, first: str, second: str, seeds: tuple[int, int]) -> str:
    rows = [["", "A", "B", "A - B", "95 % interval", "p", "p (Holm)"]]
    for level in LEVELS:
        for one in (one for one in comparison.differences if one.level == level):
            rows.append(
                [
                    CATEGORIES.get(one.name, one.name),
                    f"{one.first:.1f}",
                    f"{one.second:.1f}",
                    f"{one.difference:+.1f}",
                    f"[{one.low:+.1f}, {one.high:+.1f}]",
                    p_value(one.p),
                    p_value(one.p_holm),
                ]
            )
    notes = [f"note: {note}" for note in comparison.notes]
    if comparison.differences[0].error_training is None:
        notes.append("note: one seed each, so how training varies is unknown and in no interval")
    words = [f"{count} seed{'s' if count != 1 else ''}" for count in seeds]
    head = f"A: {first} ({words[0]})\nB: {second} ({words[1]})\n"
    return "\n".join([head, align(rows), *notes])


if __name__ == "__main__":
    sys.exit(main())
