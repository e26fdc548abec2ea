"""The choice under a budget: what is within it, how candidates stand, and which runs would tell most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from analysis.choose.candidates import Candidate, Pool
from analysis.standing import Standing, rank, worth_of_a_seed


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A candidate within the budget, and how it stands."""

    candidate: Candidate
    standing: Standing


@dataclass(frozen=True, kw_only=True)
class NextRun:
    """One more run, and what the choice is expected to gain by it."""

    candidate: Candidate
    worth: float
    """Points."""

    @property
    def rate(self) -> float:
        """Points per hour that it costs, or points where the cost is unknown."""
        return self.worth / (self.candidate.cost.gpu_hours or 1.0)


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


def make_choice(pool: Pool, budget: Mapping[str, float]) -> Choice:
    """Rank the candidates of `pool` within `budget` (name of a cost -> largest value)."""
    reasons = [_reason(candidate, budget) for candidate in pool.candidates]
    kept = [index for index, reason in enumerate(reasons) if reason is None]
    candidates = [pool.candidates[index] for index in kept]
    scores = [candidate.estimate.score for candidate in candidates]
    standings = rank(scores, pool.draws[:, kept]) if kept else []
    seeds = [candidate.seeds for candidate in candidates]
    worths = worth_of_a_seed(scores, seeds, pool.seed_variance)
    runs = [
        NextRun(candidate=candidate, worth=worth)
        for candidate, worth in zip(candidates, worths, strict=True)
        if worth >= NEGLIGIBLE
    ]
    return Choice(
        source=pool.source,
        scale=pool.scale,
        ranked=tuple(Ranked(candidate=candidates[one.index], standing=one) for one in standings),
        left_out=dict(sorted(Counter(reason for reason in reasons if reason).items())),
        next_runs=tuple(sorted(runs, key=lambda run: (-run.rate, run.candidate.label))),
        notes=pool.notes,
    )


def _reason(candidate: Candidate, budget: Mapping[str, float]) -> str | None:
    """Why `candidate` is not within `budget`."""
    for name, limit in budget.items():
        cost = getattr(candidate.cost, name)
        if cost is None:
            return f"{name} unknown"
        if cost > limit:
            return f"{name} above {limit:,.10g}"
    return None
