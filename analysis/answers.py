"""Intervals of weighted sums of scores, from the credits of single questions.

What figures and tables show of own results are such sums: means over seeds, benchmarks and models, gaps
between two models and, to first order, changes in per cent. Models answered the same questions, and single
answers vary from seed to seed: only credits tell how much of that cancels (`analysis.variance`). Without
them a sum has no interval, since any made of scores and their intervals alone would be too long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

from analysis.statistics import Estimate
from analysis.units import Credits
from analysis.variance import Part, Spread, Variance, spread_of, variance_of_sum
from cambrian.benchmarks.metrics import wilson

UNKNOWN: tuple[str, ...] = ()
"""In place of the seeds of a design, such as a published one: it has scores, and its answers are unknown."""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """A weighted sum of scores."""

    value: float
    """In points, or in per cent."""
    weights: Mapping[tuple[tuple[str, ...], str], float]
    """Seeds of a design and benchmark -> weight of their mean score."""

    def times(self, factor: float) -> Sum:
        """Its `factor`-fold."""
        weights = {place: factor * weight for place, weight in self.weights.items()}
        return Sum(value=factor * self.value, weights=weights)


def add(*sums: Sum) -> Sum:
    """What they are together."""
    weights: dict[tuple[tuple[str, ...], str], float] = defaultdict(float)
    for one in sums:
        for place, weight in one.weights.items():
            weights[place] += weight
    return Sum(value=sum(one.value for one in sums), weights=weights)


def mean_of(sums: Sequence[Sum]) -> Sum:
    """Their mean."""
    return add(*sums).times(1 / len(sums))


@dataclass(kw_only=True, eq=False)
class Answers:
    """What runs answered."""

    asked: Mapping[str, frozenset[str]]
    """Digest of a model -> benchmarks that it has a score on."""
    groups: Mapping[str, Sequence[Sequence[str]]]
    """Category, or `average` -> groups of benchmarks: it is the mean of the means of each group."""
    read: Callable[[], Sequence[Credits]]
    """Gives the credits; called when they are first wanted."""
    _found: dict[str, list[tuple[Spread, Mapping[str, int]]]] = field(default_factory=dict)

    @cached_property
    def credits(self) -> Sequence[Credits]:
        """All that there are."""
        return self.read()

    def score(self, runs: Sequence[str], name: str, value: float) -> Sum:
        """The score `value` of a design with the seeds `runs` on `name`: a benchmark, category or average."""
        groups = self.groups.get(name, [[name]])
        ids = {each for group in groups for each in group}
        seeds = tuple(run for run in runs if ids <= self.asked.get(run, frozenset()))
        weights = {(seeds, each): 1 / len(groups) / len(group) for group in groups for each in group}
        return Sum(value=value, weights=weights)

    def estimate_score(self, one: Sum) -> Estimate:
        """A mean of scores with Wilson's interval, at as many questions as would have its variance."""
        found = self._variance(one)
        if found is None:
            return Estimate(score=one.value)
        variance, clusters = found
        share = min(max(one.value / 100, 0.0), 1.0)
        spread = 100**2 * share * (1 - share)
        low, high = wilson(share, spread / variance.error**2 if spread else clusters, variance.quantile())
        return Estimate(score=one.value, low=min(100 * low, one.value), high=max(100 * high, one.value))

    def estimate(self, one: Sum) -> Estimate:
        """A difference, or a sum of differences."""
        found = self._variance(one)
        if found is None:
            return Estimate(score=one.value)
        half = found[0].quantile() * found[0].error
        return Estimate(score=one.value, low=one.value - half, high=one.value + half)

    def _variance(self, one: Sum) -> tuple[Variance, int] | None:
        """Variance of a sum, and the clusters of questions that it is of; none without credits of all."""
        designs = list(dict.fromkeys(runs for runs, _ in one.weights))
        if UNKNOWN in designs:
            return None
        parts = []
        for name in dict.fromkeys(name for _, name in one.weights):
            wanted = {run for runs in designs if (runs, name) in one.weights for run in runs}
            found = self._find(name, wanted)
            if found is None:
                return None
            spread, rows = found
            part = Part(
                weights=[one.weights.get((runs, name), 0.0) for runs in designs],
                spread=spread,
                designs=[[rows.get(run, 0) for run in runs] for runs in designs],
            )
            parts.append(part)
        return variance_of_sum(parts), sum(part.spread.totals.shape[1] for part in parts)

    def _find(self, name: str, wanted: Set[str]) -> tuple[Spread, Mapping[str, int]] | None:
        """How scores on one benchmark vary, and the rows of runs, if it has all that are `wanted`."""
        if name not in self._found:
            self._found[name] = [
                (spread_of(each), {run: row for row, run in enumerate(each.runs)})
                for each in self.credits
                if each.benchmark == name
            ]
        return next((each for each in self._found[name] if wanted <= each[1].keys()), None)


NO_ANSWERS = Answers(asked={}, groups={}, read=tuple)
"""To published scores."""
