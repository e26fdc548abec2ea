"""Intervals of lines with several seeds, from the credits of single questions.

From scores and intervals alone, single answers that vary from seed to seed count twice: with the questions,
and with the seeds (`analysis.statistics.mean_of_seeds`). Their credits tell the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from analysis.designs import designs_of, field_of
from analysis.lines import Line, OwnLines, Point
from analysis.paired import AVERAGE, BENCHMARK, CATEGORY
from analysis.statistics import Estimate
from analysis.units import Credits
from analysis.variance import Terms, variance_of_score


def with_seed_intervals(own: OwnLines, frame: pd.DataFrame, credits: Sequence[Credits]) -> OwnLines:
    """Give the lines of several seeds intervals from `credits`, as far as there are any; scores stay.

    `frame` has the evaluations behind the lines (columns of results.Row).
    """
    used = {name for names in own.benchmarks.values() for name in names}
    kept = [each for each in credits if each.benchmark in used]
    designs = [design for design in designs_of(frame) if len(design.runs) > 1]
    if not kept or not designs:
        return own
    field = field_of(kept, designs)
    answered = {target.name for target in field.targets if target.level == BENCHMARK}
    terms = {
        (target.level, target.name): target.terms
        for target in field.targets
        if target.level == BENCHMARK or answered == used  # else its mean would be of fewer benchmarks
    }
    rows = {frozenset(one.runs): rows for one, rows in zip(field.designs, field.rows, strict=True)}
    lines = tuple(
        _with_intervals(line, terms, rows[frozenset(line.runs)]) if frozenset(line.runs) in rows else line
        for line in own.lines
    )
    return replace(own, lines=lines)


def _with_intervals(line: Line, terms: Mapping[tuple[str, str], Terms], rows: Sequence[int]) -> Line:
    def points(level: str, known: Mapping[str, Point]) -> dict[str, Point]:
        return {
            name: replace(point, estimate=_estimate(point.estimate, terms.get((level, name)), rows))
            for name, point in known.items()
        }

    average = line.average and _estimate(line.average, terms.get((AVERAGE, AVERAGE)), rows)
    return replace(
        line,
        points=points(CATEGORY, line.points),
        scores=points(BENCHMARK, line.scores),
        average=average,
    )


def _estimate(known: Estimate, terms: Terms | None, rows: Sequence[int]) -> Estimate:
    """The same score with its interval, cut at 0 and 100; what is known where there are no credits of it."""
    if terms is None:
        return known
    variance = variance_of_score(terms, rows)
    half = variance.quantile() * variance.error
    return Estimate(score=known.score, low=max(known.score - half, 0.0), high=min(known.score + half, 100.0))
