"""How sure an order of designs is: `python -m analysis.stability`.

Scores are drawn again and again as other questions and other seeds might have given them (`analysis.draws`),
and the designs are ranked in each draw: "siglip is first in 94 % of draws". How training varies is known from
the designs with several seeds, and taken to be the same for all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pandas as pd

from analysis.command import add_store_options, first_look, read_credits
from analysis.designs import Field, designs_of, field_of
from analysis.draws import DRAWS, draw_scores
from analysis.errors import AnalysisError
from analysis.paired import BENCHMARK, Target
from analysis.published import CATEGORIES
from analysis.standing import Standing, rank
from analysis.style import write_csv
from analysis.text import align


@dataclass(frozen=True, kw_only=True)
class Order:
    """The designs by one score."""

    target: Target
    standings: tuple[Standing, ...]
    """The best first."""


def orders(field: Field) -> list[Order]:
    """Rank the designs of `field` in every benchmark, in every category and on average."""
    return [
        Order(target=target, standings=tuple(rank(field.scores(target), draws)))
        for target, draws in zip(field.targets, draw_scores(field, field.targets), strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how sure the first places are; 2 if there is nothing to rank."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.stability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser)
    parser.add_argument(
        "--top", type=int, default=10, metavar="N", help="designs shown of each (default: 10)"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write one row per design and score here, too"
    )
    options = parser.parse_args(arguments)
    try:
        frame, credits = read_credits(options.store, options.only, runs=options.runs, proxy=options.proxy)
        field = field_of(credits, designs_of(frame))
        if len(field.designs) < 2:
            raise AnalysisError(
                "there are not two designs that answered the same questions, so none is first"
            )
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    found = orders(field)
    print(first_look(options.proxy) + _text(found, field, options.top))
    if options.csv:
        write_csv(_to_frame(found, field), options.csv)
        print(options.csv)
    return 0


def _to_frame(found: Sequence[Order], field: Field) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "level": order.target.level,
                "name": order.target.name,
                "design": field.designs[one.index].label,
                **{name: value for name, value in vars(one).items() if name != "index"},
            }
            for order in found
            for one in order.standings
        ]
    )


def _text(found: Sequence[Order], field: Field, top: int) -> str:
    blocks = []
    for order in found:
        if order.target.level == BENCHMARK:
            continue
        name = CATEGORIES.get(order.target.name, order.target.name)
        rows = [[name, "score", "rank", "first in", "rank in 95 % of draws"]]
        rows += [
            [
                field.designs[one.index].label,
                f"{one.score:.1f}",
                str(one.rank),
                f"{100 * one.first:.0f} %",
                f"{one.rank_low:g} to {one.rank_high:g}",
            ]
            for one in order.standings[:top]
        ]
        blocks.append(align(rows))
    notes = [*field.left_out, f"{DRAWS:,} draws of questions and seeds"]
    if all(len(design.runs) == 1 for design in field.designs):
        notes.append("no design has several seeds: how training varies is in none of these numbers")
    return "\n\n".join([*blocks, "\n".join(f"note: {note}" for note in notes)])


if __name__ == "__main__":
    sys.exit(main())
