"""Intervals of lines with several seeds, from the credits of single questions.

Single answers that vary from seed to seed are in the intervals of single scores and in how scores vary over
seeds. Only credits tell how much they are (`analysis.variance`): without them there is no interval, since any
made of scores alone would count them twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from analysis.lines import Line, OwnLines, Point
from analysis.published import CATEGORIES
from analysis.statistics import Estimate
from analysis.units import Credits
from analysis.variance import Spread, spread_of, variance_of_score


def with_seed_intervals(own: OwnLines, frame: pd.DataFrame, credits: Sequence[Credits]) -> OwnLines:
    """Give the lines of several seeds intervals from `credits`; scores stay, and a note names what has none.

    `frame` has the evaluations behind the lines (columns of results.Row).
    """
    asked = {str(run): frozenset(names) for run, names in frame.groupby("run")["benchmark"]}
    lines, notes = [], list(own.notes)
    for line in own.lines:
        if len(line.runs) == 1:
            lines.append(line)
            continue
        seeds = _Seeds(asked={run: asked[run] for run in line.runs}, credits=credits)
        lines.append(_with_intervals(line, own.benchmarks, seeds))
        lacking = sorted(name for (name, _), spread in seeds.spreads.items() if spread is None)
        if lacking:
            notes.append(
                f"{line.label}: no interval over its seeds on {', '.join(dict.fromkeys(lacking))} and on "
                "means with them: no credits of single questions, or not of the same ones"
            )
    return replace(own, lines=tuple(lines), notes=tuple(notes))


@dataclass(frozen=True, kw_only=True)
class _Seeds:
    """The runs of one line."""

    asked: Mapping[str, frozenset[str]]
    """Digest of a model -> benchmarks that it has a score on."""
    credits: Sequence[Credits]
    spreads: dict[tuple[str, tuple[str, ...]], Spread | None] = field(default_factory=dict)
    """Benchmark and runs -> how their scores vary, as far as it was wanted; none without credits of all."""

    def estimate(self, known: Estimate, groups: Sequence[Sequence[str]]) -> Estimate:
        """The mean over `groups` of benchmarks of their mean scores, with its interval, cut at 0 and 100."""
        ids = {name for group in groups for name in group}
        runs = tuple(run for run, names in self.asked.items() if ids <= names)
        if len(runs) == 1:
            return known
        terms = []
        for group in groups:
            for name in group:
                spread = self._spread(name, runs)
                if spread is not None:
                    terms.append((1 / len(groups) / len(group), spread))
        if len(terms) < sum(len(group) for group in groups):
            return known
        variance = variance_of_score(terms, range(len(runs)))
        half = variance.quantile() * variance.error
        low, high = max(known.score - half, 0.0), min(known.score + half, 100.0)
        return Estimate(score=known.score, low=low, high=high)

    def _spread(self, name: str, runs: tuple[str, ...]) -> Spread | None:
        if (name, runs) not in self.spreads:
            of_all = (each for each in self.credits if each.benchmark == name and set(runs) <= set(each.runs))
            found = next(of_all, None)
            self.spreads[name, runs] = found and spread_of(found, [found.runs.index(run) for run in runs])
        return self.spreads[name, runs]


def _with_intervals(line: Line, benchmarks: Mapping[str, Sequence[str]], seeds: _Seeds) -> Line:
    def point(known: Point, ids: Sequence[str]) -> Point:
        return replace(known, estimate=seeds.estimate(known.estimate, [ids]))

    return replace(
        line,
        points={name: point(known, benchmarks[name]) for name, known in line.points.items()},
        scores={name: point(known, [name]) for name, known in line.scores.items()},
        average=line.average and seeds.estimate(line.average, [benchmarks[name] for name in CATEGORIES]),
    )
