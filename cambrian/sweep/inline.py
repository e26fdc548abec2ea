"""Running tasks: the work of one, the same in every kind of worker, and all of a plan in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cambrian.preemption import Preempted
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.plan import Plan
from cambrian.sweep.produce import produce
from cambrian.sweep.progress import Board, ProgressFile, progress_path
from cambrian.sweep.schedule import Failure, Schedule
from cambrian.sweep.store import Store
from cambrian.tracking.trackers import make_tracker


def run_task(
    stages: Sequence[Stage], store: Store, runtime: Runtime, stopping: Callable[[], bool]
) -> dict[str, Failure]:
    """Make the stages of one task one after the other; a failed one does not stop the next.

    Returns:
        Digest -> why it failed.

    Raises:
        Preempted: after `stopping` said so.
    """
    failures = {}
    path = progress_path(store, stages[0].digest)
    try:
        for stage in stages:
            if stopping():
                raise Preempted(f"{stage.label} was not begun")
            report = ProgressFile(path, stage.digest)
            try:
                produce(stage, store, runtime, lambda stage: make_tracker(stage, runtime), report, stopping)
            except Exception as error:
                failures[stage.digest] = Failure.of(error)
    finally:
        path.unlink(missing_ok=True)
    return failures


def run_inline(
    plan: Plan,
    schedule: Schedule,
    board: Board,
    store: Store,
    runtime: Runtime,
    stopping: Callable[[], bool],
) -> None:
    """Run every task in this process, inputs first."""
    while (task := schedule.next()) is not None:
        board.started(task)
        failures = run_task([plan.stages[digest] for digest in task.stages], store, runtime, stopping)
        board.finished(task, failures, schedule.finish(task, failures))
