"""What a set of runs needs: unique stages, what of them is finished, what the rest costs, in which order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any

from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.estimate import Rates, longest_paths, sample
from cambrian.sweep.provenance import code_fingerprint
from cambrian.sweep.store import Store

SAMPLES = 64
"""Finished stages of a kind that are read to estimate unfinished ones."""


class State(StrEnum):
    """What a plan does about a stage."""

    DONE = "done"
    """It is in the store."""
    SHIPPED = "shipped"
    """It came with the project."""
    PENDING = "pending"
    """It will run."""
    UNNEEDED = "unneeded"
    """It is not in the store, and all that was to be made from it is."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One point of the grid: the stages whose results are its scores."""

    name: str
    axes: Mapping[str, Any]
    finals: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Stages that one worker runs in turn: all evaluations of one model, or one stage of another kind."""

    id: str
    """Digest of its first stage."""
    kind: str
    stages: tuple[str, ...]
    depends: tuple[str, ...]
    """Ids of the tasks that must be finished before."""
    seconds: float
    """Estimate."""
    path_seconds: float
    """Estimate from its start to the end of the longest chain that follows; start the largest first."""


@dataclass(frozen=True, kw_only=True)
class KindCount:
    """Unique stages of one kind by what happens to them."""

    unique: int
    reused: int
    changed: int
    """Of the reused, those made by code that has changed since, under the same version."""
    pending: int
    unneeded: int
    seconds: float
    """Estimate of the pending ones, on one core each."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The unique stages of `runs`, inputs before what is made from them."""

    runs: tuple[Run, ...]
    stages: Mapping[str, Stage]
    states: Mapping[str, State]
    changed: frozenset[str]
    """Finished stages made by code that has changed since, under the same version."""
    seconds: Mapping[str, float]
    """Estimate of each pending stage."""
    measured: Mapping[str, float]
    """Seconds of finished stages among those with an estimate."""

    @cached_property
    def pending(self) -> tuple[str, ...]:
        """Digests of the stages to run, inputs first."""
        return tuple(digest for digest, state in self.states.items() if state is State.PENDING)

    def missing(self, run: Run) -> int:
        """Number of stages to run before `run` has its scores."""
        return len(self.pending_of(run))

    def pending_of(self, run: Run) -> tuple[str, ...]:
        """Digests of the stages to run before `run` has its scores, inputs first."""
        return tuple(_ancestors(run.finals, self.stages, self.seconds))

    def kinds(self) -> dict[str, KindCount]:
        """Counts by kind, in the order in which kinds follow each other."""
        members: dict[str, list[str]] = defaultdict(list)
        for digest, stage in self.stages.items():
            members[stage.kind].append(digest)
        return {kind: self._count(digests) for kind, digests in members.items()}

    def tasks(self) -> tuple[Task, ...]:
        """Group the pending stages; the most urgent first, each after those it depends on."""
        groups: dict[Any, list[str]] = defaultdict(list)
        for digest in self.pending:
            stage = self.stages[digest]
            shared = stage.kind == "evaluate"
            groups[tuple(sorted(stage.inputs.items())) if shared else digest].append(digest)
        owner = {digest: group[0] for group in groups.values() for digest in group}
        members = {group[0]: tuple(group) for group in groups.values()}
        depends = {
            task: tuple(
                dict.fromkeys(
                    owner[before] for before in self.stages[task].inputs.values() if before in owner
                )
            )
            for task in members
        }
        seconds = {task: sum(self.seconds[digest] for digest in group) for task, group in members.items()}
        paths = longest_paths(seconds, depends)
        order = sorted(members, key=lambda task: -paths[task])  # stable: equal paths keep inputs first
        return tuple(
            Task(
                id=task,
                kind=self.stages[task].kind,
                stages=members[task],
                depends=depends[task],
                seconds=seconds[task],
                path_seconds=paths[task],
            )
            for task in order
        )

    def _count(self, digests: Sequence[str]) -> KindCount:
        states = [self.states[digest] for digest in digests]
        return KindCount(
            unique=len(digests),
            reused=sum(state in (State.DONE, State.SHIPPED) for state in states),
            changed=sum(digest in self.changed for digest in digests),
            pending=states.count(State.PENDING),
            unneeded=states.count(State.UNNEEDED),
            seconds=sum(self.seconds[digest] for digest in digests if digest in self.seconds),
        )


def make_plan(
    runs: Sequence[Run],
    stages: Mapping[str, Stage],
    store: Store,
    estimates: Mapping[str, float] = MappingProxyType({}),
) -> Plan:
    """Compare what `runs` need with what `store` has; nothing heavy is imported and nothing is run.

    Args:
        runs: points of the grid.
        stages: by digest, at least every ancestor of the runs' finals.
        store: where finished stages are.
        estimates: seconds of stages by digest, where more is known than from like stages.
    """
    needed = {
        digest: stages[digest]
        for digest in _ancestors((final for run in runs for final in run.finals), stages, stages)
    }
    found = store.find_all(needed.values())
    wanted = {final for run in runs for final in run.finals}
    states: dict[str, State] = {}
    for digest in reversed(needed):
        if digest in found:
            states[digest] = State.SHIPPED if store.is_shipped(found[digest]) else State.DONE
        elif digest in wanted:
            states[digest] = State.PENDING
            wanted.update(needed[digest].inputs.values())
        else:
            states[digest] = State.UNNEEDED
    return Plan(
        runs=tuple(runs),
        stages=needed,
        states={digest: states[digest] for digest in needed},
        changed=frozenset(digest for digest, artifact in found.items() if _code_changed(artifact)),
        seconds=_estimates(
            [needed[d] for d in needed if states[d] is State.PENDING], found, store, estimates
        ),
        measured={d: found[d].manifest["provenance"]["seconds"] for d in estimates if d in found},
    )


def name_apart(runs: Sequence[Run]) -> list[Run]:
    """Put part of a digest into the names of runs that differ in more than axes, such as a learning rate."""
    names = Counter(one.name for one in runs)
    return [
        one if names[one.name] == 1 else replace(one, name=f"{one.name} {one.finals[0][:6]}") for one in runs
    ]


def make_verified_plan(runs: Sequence[Run], stages: Mapping[str, Stage], store: Store) -> Plan:
    """Plan for execution: what pending stages will read is checked first, and made again if damaged."""
    while True:
        plan = make_plan(runs, stages, store)
        read = {digest for pending in plan.pending for digest in plan.stages[pending].inputs.values()}
        try:
            for digest in sorted(read - set(plan.pending)):
                store.verify(plan.stages[digest].kind, digest)
        except MissingArtifactError:
            continue
        return plan


def _ancestors(finals: Iterable[str], stages: Mapping[str, Stage], among: Container[str]) -> dict[str, None]:
    """Digests from which `finals` are made, and themselves, inputs first; enters only those in `among`."""
    order: dict[str, None] = {}
    opened: set[str] = set()
    stack = [(digest, False) for digest in reversed(list(finals)) if digest in among]
    while stack:
        digest, inputs_are_in = stack.pop()
        if digest in order:
            continue
        if inputs_are_in:
            order[digest] = None
            continue
        assert digest not in opened, f"stage {digest[:12]} is made from itself"
        opened.add(digest)
        stack.append((digest, True))
        before = stages[digest].inputs.values()
        stack += [(other, False) for other in before if other in among and other not in order]
    return order


def _code_changed(artifact: Artifact) -> bool:
    return artifact.manifest["code"]["fingerprint"] != code_fingerprint(artifact.manifest["kind"])


def _estimates(
    pending: Sequence[Stage], found: Mapping[str, Artifact], store: Store, known_seconds: Mapping[str, float]
) -> dict[str, float]:
    known: dict[str, list[Artifact]] = defaultdict(list)
    for artifact in found.values():
        known[artifact.manifest["kind"]].append(artifact)
    kinds = {stage.kind for stage in pending}
    measured = [
        artifact for kind in kinds for artifact in known.get(kind) or sample(store.artifacts(kind), SAMPLES)
    ]
    rates = Rates.of(measured)
    return {
        stage.digest: known_seconds[stage.digest] if stage.digest in known_seconds else rates.seconds(stage)
        for stage in pending
    }
