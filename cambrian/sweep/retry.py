"""Try failed stages again, from what is noted of them; no command line of a sweep is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.execute import execute
from cambrian.sweep.failures import Failure
from cambrian.sweep.plan import Run, make_plan
from cambrian.sweep.records import FailureRecord
from cambrian.sweep.store import Store


@dataclass(frozen=True, kw_only=True)
class Retrial:
    """What became of failed stages that were to be tried again."""

    done: tuple[Stage, ...]
    failed: Mapping[Stage, Failure]
    not_made: Mapping[str, str]
    """Label -> what stood in the way."""
    stopped: int
    """Exit code of what stopped it: Ctrl-C or a preemption; 0 if nothing did."""

    @property
    def exit_code(self) -> int:
        """0 if all have their results now, 130 after Ctrl-C, 75 after a preemption, else 1."""
        if self.stopped:
            return self.stopped
        return 1 if self.failed or self.not_made else 0


def try_again(records: Iterable[FailureRecord], store: Store, workers: int) -> Retrial:
    """Make the stages of `records` whose inputs are in the store, and then those that wait for them.

    Args:
        records: failures.
        store: where the inputs are.
        workers: stages at the same time; with one they are made in this process, with more by Ray.
    """
    left = {record.digest: record for record in records}
    done: list[Stage] = []
    failed: dict[Stage, Failure] = {}
    not_made: dict[str, str] = {}
    stopped = 0
    while not stopped:
        groups: list[tuple[Runtime, list[Stage]]] = []
        for record in [record for record in left.values() if _obstacle(record, store) is None]:
            runtime, stage = _runtime(record, store, workers), left.pop(record.digest).rebuild_stage()
            group = next((group for known, group in groups if known == runtime), None)
            if group is None:
                groups.append((runtime, [stage]))
            else:
                group.append(stage)
        if not groups:
            break
        for runtime, group in groups:
            stages = {stage.digest: stage for stage in group}
            runs = [Run(name=stage.label, axes=stage.axes, finals=(stage.digest,)) for stage in group]
            plan = make_plan(runs, {**_inputs(group, store), **stages}, store)
            outcome = execute(plan, store, runtime)
            done += [stages[digest] for digest in outcome.done if digest in stages]
            failed |= {plan.stages[digest]: failure for digest, failure in outcome.failed.items()}
            not_made |= {plan.stages[digest].label: reason for digest, reason in outcome.not_run.items()}
            stopped |= outcome.exit_code if outcome.interrupted or outcome.preempted else 0
    not_made |= {
        str(record.stage["label"]): _obstacle(record, store) or "interrupted" for record in left.values()
    }
    return Retrial(done=tuple(done), failed=failed, not_made=not_made, stopped=stopped)


def _obstacle(record: FailureRecord, store: Store) -> str | None:
    """Why a stage cannot be made from its record alone; None if it can."""
    stage = record.rebuild_stage()
    if stage.digest != record.digest:
        return f"the code of '{stage.kind}' has a new version since; the sweep's own command makes it anew"
    for role, digest in stage.inputs.items():
        if store.kind_of(digest) is None:
            return f"its input '{role}' is not in the store; the sweep's own command makes both"
    return None


def _inputs(stages: Iterable[Stage], store: Store) -> dict[str, Stage]:
    """What `stages` are made from, as far as it is in the store, by digest."""
    found = {}
    for digest in {digest for stage in stages for digest in stage.inputs.values()}:
        kind = store.kind_of(digest)
        artifact = None if kind is None else store.find(kind, digest)
        if artifact is not None:
            names = ("kind", "recipe", "inputs", "label", "axes")
            found[digest] = Stage(**{name: artifact.manifest[name] for name in names})
    return found


def _runtime(record: FailureRecord, store: Store, workers: int) -> Runtime:
    cluster = "inline" if workers == 1 else "laptop"
    url = store.place if store.is_remote else None
    return replace(record.rebuild_runtime(store.root), bucket=url, cluster=cluster, workers=workers)
