"""Successive halving: a first look at all runs on part of their data, a longer one at the best, and so on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from rich.console import Console
from rich.table import Table

from cambrian.config import Study
from cambrian.preemption import Preempted, Preemption
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.execute import Outcome, check_machine, worker_count
from cambrian.sweep.failures import Failure
from cambrian.sweep.inline import run_task
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.plan import Plan, Run, make_verified_plan, name_apart
from cambrian.sweep.ray_cluster import ray_session
from cambrian.sweep.scores import WIDTH, category_means, failure_lines, find_evaluations
from cambrian.sweep.stage_log import log_path
from cambrian.sweep.store import Store


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One run of the grid, at every rung."""

    name: str
    looks: tuple[Run, ...]
    """The run on each rung's part of the examples."""
    stages: tuple[tuple[Stage, ...], ...]
    """What each rung has yet to make, inputs first."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a candidate came to at one rung."""

    score: float | None
    """Mean of the category means, in percent; none if a stage failed."""
    failed: str = ""
    """Digest of that stage; empty if its worker died before it could say."""
    failure: Failure | None = None


class Standings:
    """How far each candidate has come."""

    def __init__(self, candidates: Sequence[Candidate], rungs: Sequence[float]) -> None:
        self.candidates = {candidate.name: candidate for candidate in candidates}
        self.rungs = rungs
        self.scores: dict[str, list[float]] = {name: [] for name in self.candidates}
        """Name -> score at each rung that was reached."""
        self.unfinished: dict[str, str] = {}
        """Name -> why it has no score at the next rung, where a stage failed."""
        self.failed: dict[str, Failure] = {}
        """By digest."""

    @property
    def factor(self) -> float:
        """Of so many candidates one goes on: the mean ratio of a rung to the one before (geometric)."""
        return (self.rungs[-1] / self.rungs[0]) ** (1 / (len(self.rungs) - 1))

    def record(self, name: str, rung: int, look: Look) -> None:
        """Take note of a look and print it; a worker that was replaced reports what it finds again."""
        if look.failure is not None:
            if look.failed:
                self.failed[look.failed] = look.failure
            self.unfinished[name] = look.failure.reason
            print(f"failed: {name} at {_percent(self.rungs[rung])}\n{look.failure.trace}", flush=True)
        elif look.score is not None and rung == len(self.scores[name]):
            self.scores[name].append(look.score)
            print(f"{_title(self.rungs[rung])}: {look.score:.1f} {name}", flush=True)

    def best(self, names: Sequence[str], rung: int) -> list[str]:
        """Those of `names` that go on from `rung`, the best first; who comes first wins a tie."""
        reached = [name for name in names if len(self.scores[name]) > rung]
        ordered = sorted(reached, key=lambda name: -self.scores[name][rung])
        return ordered[: math.ceil(round(len(ordered) / self.factor, 6))]


def halve(study: Study, plan: Plan, store: Store) -> Outcome:
    """Compare the runs of `study` rung by rung and print the standings.

    In this process every rung is complete before the best go on. On Ray, Tune's asynchronous scheduler
    decides: a run goes on if it is among the best of those that were there before it, so nobody waits.

    Args:
        study: with the rungs in `halving`.
        plan: of all its points.
        store: takes all results; those of parts of the data are marked by their axis `proxy`.
    """
    models = [digest for digest, stage in plan.stages.items() if stage.kind != "evaluate"]
    with store.session(study.runtime.group, models):
        plan = make_verified_plan(plan.runs, plan.stages, store)
        check_machine(plan, study.runtime)
        standings = Standings(find_candidates(study, plan), study.halving)
        stopped = _climb(standings, plan, store, study.runtime)
    print_standings(standings, plan, store, stopped)
    names = {run.finals: run.name for run in plan.runs}
    return Outcome(
        done=tuple(digest for digest in plan.pending if store.find(plan.stages[digest].kind, digest)),
        failed=standings.failed,
        not_run={},
        unfinished={
            names[standings.candidates[name].looks[len(standings.scores[name])].finals]: reason
            for name, reason in standings.unfinished.items()
        },
        interrupted=stopped == "interrupted",
        preempted=stopped == "preempted",
    )


def find_candidates(study: Study, plan: Plan) -> list[Candidate]:
    """Give each different run of `study` with what `plan` has yet to make for it, rung by rung."""
    lineage = Lineage()
    found: dict[tuple[tuple[str, ...], ...], tuple[str, tuple[Run, ...]]] = {}
    for recipe in study.recipes:
        looks = tuple(lineage.run(recipe.at(rung)) for rung in study.halving)
        found.setdefault(tuple(look.finals for look in looks), (recipe.name, looks))
    named = name_apart([replace(looks[-1], name=name) for name, looks in found.values()])
    return [
        Candidate(
            name=run.name,
            looks=looks,
            stages=tuple(tuple(plan.stages[digest] for digest in plan.pending_of(look)) for look in looks),
        )
        for run, (_, looks) in zip(named, found.values(), strict=True)
    ]


def take_look(
    candidate: Candidate, rung: int, store: Store, runtime: Runtime, stopping: Callable[[], bool]
) -> Look:
    """Make what the candidate lacks at `rung`, up to the first failure. What others make meanwhile is shared.

    Raises:
        Preempted: after `stopping` said so.
    """
    for stage in candidate.stages[rung]:
        for digest, failure in run_task([stage], store, runtime, stopping).items():
            return Look(score=None, failed=digest, failure=failure)
    evaluations = find_evaluations(candidate.looks[rung], store)
    assert evaluations is not None, "made without failure, yet not there"
    return Look(score=fmean(mean["score"] for mean in category_means(evaluations).values()))


def climb_inline(standings: Standings, store: Store, runtime: Runtime, stopping: Callable[[], bool]) -> None:
    """Take every rung in this process: all who are left, then the best of them."""
    names = list(standings.candidates)
    for rung in range(len(standings.rungs)):
        for name in names:
            look = take_look(standings.candidates[name], rung, store, runtime, stopping)
            standings.record(name, rung, look)
        names = standings.best(names, rung)


def print_standings(standings: Standings, plan: Plan, store: Store, stopped: str) -> None:
    """Print one row per run, its score at every rung, those who came furthest first; then what failed."""
    console = Console(width=WIDTH, highlight=False)
    table = Table(
        "run",
        *map(_title, standings.rungs),
        title="score in %, mean of the categories; a first look is no result",
        title_justify="left",
    )
    scores = standings.scores
    for name in sorted(scores, key=lambda name: (-len(scores[name]), *(-s for s in scores[name][::-1]))):
        cells = [f"{score:.1f}" for score in scores[name]]
        if name in standings.unfinished:
            cells.append("failed")
        elif stopped and len(cells) < len(standings.rungs):
            cells.append(stopped)
        table.add_row(name, *cells)
    console.print(table)
    lines = [f"no result: {name}: {reason}" for name, reason in standings.unfinished.items()]
    lines += failure_lines(
        (failure.failure_class, plan.stages[digest].label, failure.reason, log_path(store, digest))
        for digest, failure in standings.failed.items()
    )
    for line in [*lines, f"results: {store.place}"]:
        console.print(line, markup=False, soft_wrap=True)


def _climb(standings: Standings, plan: Plan, store: Store, runtime: Runtime) -> str:
    """Take all rungs; `interrupted` or `preempted` if that stopped it, else empty."""
    try:
        with Preemption() as preemption:
            if runtime.cluster == "inline" or not plan.pending:
                climb_inline(standings, store, runtime, preemption)
            else:
                _climb_on_ray(standings, plan, store, runtime, preemption)
        return "preempted" if preemption() else ""
    except KeyboardInterrupt:
        return "interrupted"
    except Preempted:
        return "preempted"


def _climb_on_ray(
    standings: Standings, plan: Plan, store: Store, runtime: Runtime, preemption: Preemption
) -> None:
    threads = max(1, runtime.threads)
    with ray_session(runtime, worker_count(runtime) * threads, threads) as files:
        from cambrian.sweep.halving_tuner import climb  # Ray is imported within the session alone

        climb(standings, plan, store, replace(runtime, threads=threads), files, preemption)


def _title(rung: float) -> str:
    return "all data" if rung == 1 else f"first look at {_percent(rung)}"


def _percent(rung: float) -> str:
    return f"{100 * rung:g} %"
