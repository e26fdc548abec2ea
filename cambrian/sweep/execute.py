"""Execute a plan: in this process or on Ray, with an outcome for every stage and every run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType

from cambrian.runtime import Runtime
from cambrian.sweep.failures import Failure
from cambrian.sweep.inline import run_inline
from cambrian.sweep.plan import Plan, make_verified_plan
from cambrian.sweep.progress import Board, run_chains
from cambrian.sweep.ray_cluster import ray_session
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.store import Store


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a plan."""

    done: tuple[str, ...]
    """Digests of the stages made by this call."""
    failed: Mapping[str, Failure]
    """By digest."""
    not_run: Mapping[str, str]
    """Digest -> what stands in its way."""
    unfinished: Mapping[str, str]
    """Name of each run without its result -> reason; all other runs have theirs."""
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 if every run has its result, 130 after Ctrl-C, else 1."""
        if self.interrupted:
            return 130
        return 1 if self.unfinished else 0


def execute(plan: Plan, store: Store, runtime: Runtime) -> Outcome:
    """Make every pending stage of `plan`; a failure stops only what depends on it.

    Work that an interruption leaves behind is resumed by executing the same plan again.
    """
    if not plan.pending:
        return Outcome(done=(), failed={}, not_run={}, unfinished={}, interrupted=False)
    models = [digest for digest, stage in plan.stages.items() if stage.kind != "evaluate"]
    with store.session(runtime.group, models):  # before looking what is there, so that it stays there
        plan = make_verified_plan(plan.runs, plan.stages, store)
        schedule = Schedule(plan, store)
        interrupted = not _run(plan, schedule, store, runtime)
    return Outcome(
        done=tuple(schedule.done),
        failed=schedule.failed,
        not_run=schedule.not_run,
        unfinished=_unfinished(plan, schedule),
        interrupted=interrupted,
    )


def _run(plan: Plan, schedule: Schedule, store: Store, runtime: Runtime) -> bool:
    """Run what `schedule` hands out; whether that came to its end without being interrupted."""
    with Board(plan, schedule, store, worker_count(runtime)) as board:
        try:
            with termination_as_interrupt():
                if runtime.cluster == "inline":
                    run_inline(plan, schedule, board, store, runtime)
                else:
                    _run_on_ray(plan, schedule, board, store, runtime)
        except KeyboardInterrupt:
            schedule.interrupt()
            return False
    return True


def worker_count(runtime: Runtime) -> int:
    """Stages that run at the same time on this machine."""
    if runtime.cluster == "inline":
        return 1
    return runtime.workers or max(1, (os.cpu_count() or 1) // max(1, runtime.threads))


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Treat a polite kill like Ctrl-C, where this thread can receive signals at all."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_on_ray(plan: Plan, schedule: Schedule, board: Board, store: Store, runtime: Runtime) -> None:
    threads = max(1, runtime.threads)
    with ray_session(runtime, worker_count(runtime), threads) as files:
        # Ray takes seconds to import and reads its environment then: only here, and only within the session.
        from cambrian.sweep.tuner import fit

        fit(plan, schedule, board, store, replace(runtime, threads=threads), files)


def _unfinished(plan: Plan, schedule: Schedule) -> dict[str, str]:
    reasons = {}
    chains = run_chains(plan, schedule)
    for run in plan.runs:
        lost = {**schedule.not_run, **{digest: f.reason for digest, f in schedule.failed.items()}}
        stages = [digest for task_id in chains[run.finals] for digest in schedule.tasks[task_id].stages]
        if not lost.keys().isdisjoint(run.finals):
            culprits = [d for d in stages if d in schedule.failed] or [d for d in stages if d in lost]
            reasons[run.name] = f"{plan.stages[culprits[0]].label}: {lost[culprits[0]]}"
    return reasons
