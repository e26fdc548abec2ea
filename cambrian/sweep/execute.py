"""Execute a plan: in this process or on Ray, with an outcome for every stage and every run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cambrian.preemption import EXIT_CODE, Preempted, Preemption
from cambrian.runtime import Runtime
from cambrian.sweep.failures import Failure
from cambrian.sweep.inline import run_inline
from cambrian.sweep.plan import Plan, make_verified_plan
from cambrian.sweep.progress import Board, run_chains
from cambrian.sweep.ray_cluster import ray_session
from cambrian.sweep.resources import check_feasible, this_machine
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
    interrupted: bool = False
    """By Ctrl-C."""
    preempted: bool = False
    """By SIGTERM or SIGUSR1, and left in order."""

    @property
    def exit_code(self) -> int:
        """0 if every run has its result, 130 after Ctrl-C, 75 (try again) after a preemption, else 1."""
        if self.interrupted:
            return 130
        if self.preempted:
            return EXIT_CODE
        return 1 if self.unfinished else 0


def execute(plan: Plan, store: Store, runtime: Runtime) -> Outcome:
    """Make every pending stage of `plan`; a failure stops only what depends on it.

    Work that an interruption leaves behind is resumed by executing the same plan again.

    Raises:
        UserError: if a stage asks for more than there is.
    """
    if not plan.pending:
        return Outcome(done=(), failed={}, not_run={}, unfinished={})
    models = [digest for digest, stage in plan.stages.items() if stage.kind != "evaluate"]
    with store.session(runtime.group, models):  # before looking what is there, so that it stays there
        plan = make_verified_plan(plan.runs, plan.stages, store)
        check_machine(plan, runtime)
        schedule = Schedule(plan, store)
        stopped = _run(plan, schedule, store, runtime)
    return Outcome(
        done=tuple(schedule.done),
        failed=schedule.failed,
        not_run=schedule.not_run,
        unfinished=_unfinished(plan, schedule),
        interrupted=stopped == "interrupted",
        preempted=stopped == "preempted",
    )


def _run(plan: Plan, schedule: Schedule, store: Store, runtime: Runtime) -> str:
    """Run what `schedule` hands out; `interrupted` or `preempted` if that stopped it, else empty."""
    stopped = ""
    with Board(plan, schedule, store, worker_count(runtime)) as board:
        try:
            with Preemption() as preemption:
                if runtime.cluster == "inline":
                    run_inline(plan, schedule, board, store, runtime, preemption)
                else:
                    _run_on_ray(plan, schedule, board, store, runtime, preemption)
            stopped = "preempted" if preemption() and not schedule.is_over else ""
        except KeyboardInterrupt:
            stopped = "interrupted"
        except Preempted:
            stopped = "preempted"
        if stopped:
            schedule.interrupt(stopped)
    return stopped


def check_machine(plan: Plan, runtime: Runtime) -> None:
    """Refuse what this machine cannot give; how large those of a cluster are is known when it is joined.

    Raises:
        UserError: with what is asked and what there is.
    """
    if runtime.cluster != "ray":
        places = 0 if runtime.cluster == "inline" else worker_count(runtime)
        check_feasible(plan, runtime, [this_machine(runtime, places)])


def worker_count(runtime: Runtime) -> int:
    """Stages that run at the same time on this machine."""
    if runtime.cluster == "inline":
        return 1
    return runtime.workers or max(1, (os.cpu_count() or 1) // max(1, runtime.threads))


def _run_on_ray(
    plan: Plan, schedule: Schedule, board: Board, store: Store, runtime: Runtime, preemption: Preemption
) -> None:
    threads = max(1, runtime.threads)
    with ray_session(runtime, worker_count(runtime) * threads, threads) as files:
        # Ray takes seconds to import and reads its environment then: only here, and only within the session.
        from cambrian.sweep.tuner import fit

        fit(plan, schedule, board, store, replace(runtime, threads=threads), files, preemption)


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
