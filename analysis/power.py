"""What a sweep can resolve, and what it would take to resolve more: `python -m analysis.power`.

The noise floor is the half-width of the 95 % interval of the difference between two designs that are equal;
the minimal detectable difference is the one that a paired test at 5 % finds in 80 % of all cases. Both come
from how far runs of the store differ question by question; of one run alone, by an assumption that is said.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pandas as pd

from analysis.command import add_store_options, first_look, read_credits
from analysis.designs import Design, Field, designs_of, field_of
from analysis.errors import AnalysisError
from analysis.paired import LEVELS, Target
from analysis.published import CATEGORIES
from analysis.style import write_csv
from analysis.text import align
from analysis.units import Credits
from analysis.variance import Spread, Variance, median_of_pairs, seed_variance

POWER = 0.8
CORRELATION = 0.5
"""Assumed between the answers of two runs where the store has one."""
TARGET = 3.0
"""Points that are to be resolved, unless told."""


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What one score can resolve between two designs of one seed each. Differences are in points."""

    level: str
    name: str
    units: int
    """Questions, or groups that are right together."""
    noise_floor: float
    """From the choice of questions, and from training where that is known."""
    detectable: float
    """Minimal detectable difference."""
    training: float | None
    """Standard deviation of the score from seed to seed; none where no design has two."""
    wanted: float
    """The difference that is to be resolved."""
    units_needed: int | None
    """For that, with the seeds that there are; none where training alone hides it."""
    seeds_needed: int | None
    """For that, with the questions that there are; none where they are too few or training is unknown."""
    assumed: bool
    """Whether it rests on `CORRELATION`."""


def noise_floor(credits: Sequence[Credits], designs: Sequence[Design]) -> pd.DataFrame:
    """How far apart two equal designs may be by chance, for bands in figures.

    Args:
        credits: of the runs of `designs`.
        designs: those that are compared.

    Returns:
        level (benchmark, category or average), name, and noise_floor: half a 95 % interval in points.
    """
    found = resolutions(field_of(credits, designs))
    return pd.DataFrame([asdict(one) for one in found])[
        ["level", "name", "noise_floor", "training", "assumed"]
    ]


def resolutions(field: Field, wanted: float = TARGET) -> list[Resolution]:
    """What every score of `field` can resolve, and what it would take to resolve `wanted` points."""
    return [_resolution(target, field, wanted) for target in field.targets]


def _resolution(target: Target, field: Field, wanted: float) -> Resolution:
    terms, assumed = target.terms, len(field.designs) < 2
    parts = [weight**2 * typical_variance(spread, field.rows) for weight, spread in terms]
    freedom = sum(parts) ** 2 / sum(
        part**2 / spread.freedom for part, (_, spread) in zip(parts, terms, strict=True)
    )
    seeds, answers, seeds_freedom = seed_variance(terms, field.rows)
    variance = Variance(
        questions=max(sum(parts) - 2 * answers, 0.0) if seeds_freedom else sum(parts),
        questions_freedom=freedom,
        seeds=2 * seeds,
        seeds_freedom=seeds_freedom,
        training=2 * max(seeds - answers, 0.0),
    )
    training = math.sqrt(max(seeds - answers, 0.0)) if seeds_freedom else None
    reach = variance.quantile() + variance.quantile(1 - POWER)
    # What the standard error must be, squared; more units divide all but the training by the same factor.
    allowed = (wanted / reach) ** 2
    fixed = 2 * training**2 if training is not None else 0.0
    sampled = max(variance.error**2 - fixed, 0.0)
    units = sum(spread.units for _, spread in terms)
    return Resolution(
        level=target.level,
        name=target.name,
        units=units,
        noise_floor=variance.quantile() * variance.error,
        detectable=reach * variance.error,
        training=training,
        wanted=wanted,
        units_needed=math.ceil(units * sampled / (allowed - fixed)) if allowed > fixed else None,
        seeds_needed=_seeds(variance, allowed) if seeds_freedom else None,
        assumed=assumed,
    )


def _seeds(variance: Variance, allowed: float) -> int | None:
    """Seeds of each design that bring the variance down to `allowed`."""
    if allowed <= variance.questions:
        return None
    return max(1, math.ceil(variance.seeds / (allowed - variance.questions)))


def typical_variance(spread: Spread, rows: Sequence[Sequence[int]]) -> float:
    """Median over pairs of designs of the variance of the difference of one seed of each, in points squared.

    Of one design alone it is assumed that answers of another would correlate with its own by `CORRELATION`.
    """
    chosen = [each[0] for each in rows]
    deviations = spread.deviations[chosen]
    floor = (100.0 / spread.totals.shape[1]) ** 2
    if len(chosen) == 1:
        return 2 * (1 - CORRELATION) * float(deviations[0] @ deviations[0]) + floor
    return median_of_pairs(deviations) + floor


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what can be resolved; 2 if there are no results."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.power",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser)
    parser.add_argument(
        "--difference",
        type=float,
        default=TARGET,
        metavar="POINTS",
        help=f"what is to be resolved (default: {TARGET:g})",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row per score here, too")
    options = parser.parse_args(arguments)
    try:
        if not options.difference > 0:
            raise AnalysisError(f"--difference takes points above 0; got {options.difference:g}")
        frame, credits = read_credits(options.store, options.only, runs=options.runs, proxy=options.proxy)
        field = field_of(credits, designs_of(frame))
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    found = resolutions(field, options.difference)
    print(first_look(options.proxy) + _text(found, field, options.difference))
    if options.csv:
        write_csv(pd.DataFrame([asdict(one) for one in found]), options.csv)
        print(options.csv)
    return 0


def _text(found: Sequence[Resolution], field: Field, wanted: float) -> str:
    rows = [["", "units", "noise floor", "detectable", f"{wanted:g} points", "seed to seed"]]
    for level in LEVELS:
        for one in (one for one in found if one.level == level):
            spread = "unknown" if one.training is None else f"{one.training:.1f}"
            rows.append(
                [
                    CATEGORIES.get(one.name, one.name),
                    str(one.units),
                    f"{one.noise_floor:.1f}",
                    f"{one.detectable:.1f}",
                    verdict(one),
                    spread,
                ]
            )
    notes = list(field.left_out)
    if found[0].assumed:
        notes.append(f"one design alone: answers of another are assumed to correlate by {CORRELATION:g}")
    if found[0].training is None:
        notes.append("no design has two seeds: how training varies is unknown and in no number")
    head = f"points that two designs of one seed each must differ by; 5 % level, power {POWER:.0%}\n"
    return "\n".join([head, align(rows), *(f"note: {note}" for note in notes)])


def verdict(one: Resolution) -> str:
    """Whether the wanted difference can be resolved, and if not, with what it could."""
    if one.detectable <= one.wanted:
        return "resolvable"
    needs = []
    if one.units_needed is not None:
        needs.append(f"n >= {one.units_needed:,}")
    if one.seeds_needed is not None:
        needs.append(f"{one.seeds_needed:,} seeds")
    return f"not resolvable, need {' or '.join(needs) or 'more questions and more seeds'}"


if __name__ == "__main__":
    sys.exit(main())
