"""How sure an order of designs is: `python -m analysis.stability`.

Questions (clusters of them) and seeds are drawn again and again with replacement, the same questions for all
designs, and the designs are ranked in each draw. "siglip is first in 94 % of draws" means that the questions
and seeds at hand put it there that often; a design with one seed does not vary by training.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import pandas as pd

from analysis.command import add_store_options, first_look, read_credits
from analysis.designs import Field, designs_of, field_of
from analysis.errors import AnalysisError
from analysis.paired import BENCHMARK, Target
from analysis.published import CATEGORIES
from analysis.style import write_csv
from analysis.text import align
from analysis.variance import Spread, Values

DRAWS = 2000
BLOCK = 250
"""Draws at a time; bounds memory."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One design among all, by one score."""

    level: str
    name: str
    design: str
    score: float
    rank: int
    """By the scores themselves, from 1; equal scores share the better rank."""
    first: float
    """Share of draws in which it is first, in percent; equal designs share a draw."""
    low: float
    """2.5 % quantile of its rank over the draws; of equal designs each has the middle rank."""
    median: float
    high: float


def standings(field: Field, *, draws: int = DRAWS) -> list[Standing]:
    """Rank the designs of `field` in every benchmark, in every category and on average."""
    found: list[Standing] = []
    spreads = {id(spread): spread for target in field.targets for _, spread in target.terms}
    drawn = {
        key: _draw(spread, field.rows, draws, index) for index, (key, spread) in enumerate(spreads.items())
    }
    for target in field.targets:
        again = np.sum([weight * drawn[id(spread)] for weight, spread in target.terms], axis=0)
        found += _ranked(target, field, again)
    return found


def _draw(spread: Spread, rows: Sequence[Sequence[int]], draws: int, stream: int) -> Values:
    """Scores of all designs on drawn questions and seeds (draws, designs).

    A cluster that is drawn k times moves the score by k - 1 times its deviation. Of S seeds S - 1 are drawn,
    the same ones in all benchmarks; drawing S would give their mean only (S - 1) / S of the variance that it
    has (McCarthy and Snowden 1985).
    """
    questions, seeds = np.random.default_rng([1, stream]), np.random.default_rng(2)
    count = spread.totals.shape[1]
    weights = _seed_weights(rows, draws, seeds)
    scores = np.empty((draws, spread.totals.shape[0]))
    # Without the scale of a variance's estimate, so that equal scores of a draw are equal.
    deviations = spread.deviations * math.sqrt((count - 1) / count) if count > 1 else spread.deviations
    for begin in range(0, draws, BLOCK):
        size = min(BLOCK, draws - begin)
        flat = questions.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(flat.ravel(), minlength=size * count).reshape(size, count)
        scores[begin : begin + size] = (times - 1) @ deviations.T
    scores += spread.scores
    columns = [
        np.einsum("ds,ds->d", each, scores[:, list(chosen)])
        for each, chosen in zip(weights, rows, strict=True)
    ]
    return np.stack(columns, axis=1)


def _seed_weights(rows: Sequence[Sequence[int]], draws: int, generator: np.random.Generator) -> list[Values]:
    """Weight of each seed of each design (draws, seeds)."""
    found = []
    for chosen in rows:
        count = len(chosen)
        if count == 1:
            found.append(np.ones((draws, 1)))
        else:
            found.append(generator.multinomial(count - 1, [1 / count] * count, size=draws) / (count - 1))
    return found


def _ranked(target: Target, field: Field, again: Values) -> list[Standing]:
    rounded = np.round(again, 6)
    best = rounded == rounded.max(axis=1, keepdims=True)
    first = 100 * (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    ranks = pd.DataFrame(-rounded).rank(axis=1).to_numpy()
    low, median, high = np.quantile(ranks, [0.025, 0.5, 0.975], axis=0)
    scores = [
        sum(weight * float(spread.scores[list(rows)].mean()) for weight, spread in target.terms)
        for rows in field.rows
    ]
    order = [1 + sum(other > score + 1e-9 for other in scores) for score in scores]
    return [
        Standing(
            level=target.level,
            name=target.name,
            design=design.label,
            score=scores[index],
            rank=order[index],
            first=float(first[index]),
            low=float(low[index]),
            median=float(median[index]),
            high=float(high[index]),
        )
        for index, design in enumerate(field.designs)
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
    found = standings(field)
    print(first_look(options.proxy) + _text(found, field, options.top))
    if options.csv:
        write_csv(pd.DataFrame([vars(one) for one in found]), options.csv)
        print(options.csv)
    return 0


def _text(found: Sequence[Standing], field: Field, top: int) -> str:
    blocks = []
    for target in field.targets:
        if target.level == BENCHMARK:
            continue
        here = [one for one in found if (one.level, one.name) == (target.level, target.name)]
        here = sorted(here, key=lambda one: (one.rank, one.design))[:top]
        rows = [
            [CATEGORIES.get(target.name, target.name), "score", "rank", "first in", "rank in 95 % of draws"]
        ]
        rows += [
            [
                one.design,
                f"{one.score:.1f}",
                str(one.rank),
                f"{one.first:.0f} %",
                f"{one.low:g} to {one.high:g}",
            ]
            for one in here
        ]
        blocks.append(align(rows))
    single = sum(len(design.runs) == 1 for design in field.designs)
    notes = [*field.left_out, f"{DRAWS:,} draws of questions and seeds"]
    if single:
        notes.append(
            f"{single} of {len(field.designs)} designs have one seed: how training varies is not in it"
        )
    return "\n\n".join([*blocks, "\n".join(f"note: {note}" for note in notes)])


if __name__ == "__main__":
    sys.exit(main())
