"""Differences between two designs on the same questions: per benchmark, per category, on average.

The estimate is the difference of mean scores over seeds; its interval and p-value are Student's t with the
variance of `analysis.variance`. Benchmarks are independent of each other: they have different questions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from analysis.errors import AnalysisError
from analysis.published import AVERAGE, CATEGORIES
from analysis.units import Credits
from analysis.variance import Spread, Terms, score_of, spread_of, variance_of

BENCHMARK, CATEGORY = "benchmark", "category"
LEVELS = (BENCHMARK, CATEGORY, AVERAGE)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """First design minus second, in points."""

    level: str
    """One of `LEVELS`; each is a family of its own in Holm's correction."""
    name: str
    first: float
    second: float
    difference: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    p: float
    p_holm: float
    """Corrected for the number of differences of this level."""
    clusters: int
    """Independent pictures or questions."""
    error: float
    """Standard error."""
    error_training: float | None
    """Its part from training; none where no design has two seeds, and then it is in no interval."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two designs, compared."""

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    """What could not be compared, one sentence each."""

    def to_frame(self) -> pd.DataFrame:
        """One row per difference."""
        return pd.DataFrame([asdict(one) for one in self.differences])


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct for so many tests: the chance of one false positive among them stays (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in corrected]


def compare(credits: Sequence[Credits], first: Sequence[str], second: Sequence[str]) -> Comparison:
    """Compare the runs `first` (digests of the seeds of one design) with the runs `second`.

    A benchmark is compared if all runs answered the same questions of it, a category if all its benchmarks in
    `credits` are, the average if all categories are.

    Raises:
        AnalysisError: if there is no such benchmark, or a run is in both designs.
    """
    both = set(first) & set(second)
    if both:
        raise AnalysisError(f"the same model on both sides: {', '.join(sorted(run[:12] for run in both))}")
    runs = [*first, *second]
    asked = [each for each in credits if set(runs) & set(each.runs)]
    whole = [each for each in asked if set(runs) <= set(each.runs)]
    lacking = sorted({each.benchmark for each in asked} - {each.benchmark for each in whole})
    notes = [
        f"{name}: not all of these models answered the same questions, so it is not compared"
        for name in lacking
    ]
    if not whole:
        raise AnalysisError("\n".join(["there is no benchmark that both designs answered", *notes]))
    spreads = [(each, spread_of(each, [each.runs.index(run) for run in runs])) for each in whole]
    broken = {each.category for each in asked if each.benchmark in lacking}
    sides = (range(len(first)), range(len(first), len(runs)))
    found = [_difference(target, *sides) for target in targets_of(spreads, broken)]
    return Comparison(differences=tuple(_corrected(found)), notes=tuple(notes))


@dataclass(frozen=True, kw_only=True)
class Target:
    """A score that is compared."""

    level: str
    name: str
    terms: Terms


def targets_of(spreads: Sequence[tuple[Credits, Spread]], broken: Collection[str] = ()) -> list[Target]:
    """Every benchmark, every category that is not `broken`, and the average of all if none is."""
    groups: dict[str, list[Spread]] = {name: [] for name in CATEGORIES}
    for credits, spread in spreads:
        groups[credits.category].append(spread)
    whole = {name: group for name, group in groups.items() if group and name not in broken}
    found = [
        Target(level=BENCHMARK, name=credits.benchmark, terms=[(1.0, spread)]) for credits, spread in spreads
    ]
    for name, group in whole.items():
        terms = [(1 / len(group), spread) for spread in group]
        found.append(Target(level=CATEGORY, name=name, terms=terms))
    if len(whole) > 1 and not broken:
        terms = [(1 / len(group) / len(whole), spread) for group in whole.values() for spread in group]
        found.append(Target(level=AVERAGE, name=AVERAGE, terms=terms))
    return found


def _difference(target: Target, first: Sequence[int], second: Sequence[int]) -> Difference:
    scores = [score_of(target.terms, rows) for rows in (first, second)]
    variance = variance_of(target.terms, first, second)
    difference = scores[0] - scores[1]
    half, p = variance.quantile() * variance.error, variance.p_value(difference)
    return Difference(
        level=target.level,
        name=target.name,
        first=scores[0],
        second=scores[1],
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=p,
        p_holm=p,
        clusters=sum(spread.totals.shape[1] for _, spread in target.terms),
        error=variance.error,
        error_training=None if variance.training is None else math.sqrt(variance.training),
    )


def _corrected(differences: Sequence[Difference]) -> list[Difference]:
    """With Holm's correction among the differences of each level."""
    found: list[Difference] = []
    for level in LEVELS:
        family = [one for one in differences if one.level == level]
        corrected = holm([one.p for one in family])
        found += [replace(one, p_holm=p) for one, p in zip(family, corrected, strict=True)]
    return found
