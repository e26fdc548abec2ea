"""The choice under a budget: what is within it, how candidates stand, and which runs would tell most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.choose.candidates import Candidate, Pool
from analysis.choose.costs import Cost
from analysis.standing import Belief, Standing, belief_of_seeds, rank, worth_of_runs


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A candidate within the budget, and how it stands."""

    candidate: Candidate
    standing: Standing


@dataclass(frozen=True, kw_only=True)
class NextRun:
    """One more run, and what the choice is expected to gain by it."""

    label: str
    command: str
    cost: Cost
    worth: float
    """Points."""
    predicted: Belief | None = None
    """What is believed of a design that was not tried; none for one more seed of a candidate."""

    @property
    def rate(self) -> float:
        """Points per hour that it costs, or points where the cost is unknown."""
        return self.worth / (self.cost.gpu_hours or 1.0)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one source says."""

    source: str
    scale: str
    ranked: tuple[Ranked, ...]
    """The best first; empty if nothing is within the budget."""
    left_out: Mapping[str, int]
    """Why not -> candidates."""
    next_runs: tuple[NextRun, ...]
    """What tells most for its cost first; those that would tell nothing are not here."""
    notes: tuple[str, ...]

    @property
    def rivals(self) -> tuple[Ranked, ...]:
        """Those that cannot be told apart from the best."""
        return tuple(one for one in self.ranked[1:] if not one.standing.is_distinguishable)


NEGLIGIBLE = 1e-4
"""Points of worth below which a run is not proposed."""
PRICED = 300
"""Untried designs that are planned, those of most worth: a grid may have thousands, planned in 10 ms each."""


def make_choice(pool: Pool, budget: Mapping[str, float]) -> Choice:
    """Rank the candidates of `pool` within `budget` (name of a cost -> largest value)."""
    reasons = [_reason(candidate.cost, budget) for candidate in pool.candidates]
    kept = [index for index, reason in enumerate(reasons) if reason is None]
    candidates = [pool.candidates[index] for index in kept]
    scores = [candidate.estimate.score for candidate in candidates]
    standings = rank(scores, pool.draws[:, kept]) if kept else []
    return Choice(
        source=pool.source,
        scale=pool.scale,
        ranked=tuple(Ranked(candidate=candidates[one.index], standing=one) for one in standings),
        left_out=dict(sorted(Counter(reason for reason in reasons if reason).items())),
        next_runs=tuple(sorted(_runs(candidates, pool, budget), key=lambda run: (-run.rate, run.label))),
        notes=pool.notes,
    )


def _runs(candidates: Sequence[Candidate], pool: Pool, budget: Mapping[str, float]) -> list[NextRun]:
    """One more seed of each of `candidates`, and untried designs within `budget`, as far as they tell."""
    noise = pool.seed_variance
    tried = [belief_of_seeds(one.estimate.score, one.seeds, noise) for one in candidates]
    worths = worth_of_runs([*tried, *(one.belief for one in pool.untried)], noise)
    runs = [
        NextRun(label=one.label, command=one.command, cost=one.cost, worth=worth)
        for one, worth in zip(candidates, worths[: len(candidates)], strict=True)
        if worth >= NEGLIGIBLE
    ]
    untried = sorted(zip(pool.untried, worths[len(candidates) :], strict=True), key=lambda pair: -pair[1])
    for one, worth in untried[:PRICED]:
        cost = pool.price(one.command) if worth >= NEGLIGIBLE else None
        if cost is not None and _reason(cost, budget) is None:
            runs.append(
                NextRun(label=one.label, command=one.command, cost=cost, worth=worth, predicted=one.belief)
            )
    return runs


def _reason(cost: Cost, budget: Mapping[str, float]) -> str | None:
    """Why a design of this cost is not within `budget`."""
    for name, limit in budget.items():
        value = getattr(cost, name)
        if value is None:
            return f"{name} unknown"
        if value > limit:
            return f"{name} above {limit:,.10g}"
    return None
