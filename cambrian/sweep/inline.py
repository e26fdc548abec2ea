"""Running tasks: the work of one, the same in every kind of worker, and all of a plan in this process."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep

from cambrian.preemption import Preempted
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.failures import Failure
from cambrian.sweep.files import is_full_disk
from cambrian.sweep.plan import Plan
from cambrian.sweep.produce import produce
from cambrian.sweep.progress import Board, ProgressFile, progress_path
from cambrian.sweep.records import clear_record, write_record
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.stage_log import StageLog, log_path, stage_log
from cambrian.sweep.store import Store
from cambrian.tracking.trackers import make_tracker

log = logging.getLogger(__name__)


def run_task(
    stages: Sequence[Stage], store: Store, runtime: Runtime, stopping: Callable[[], bool] = lambda: False
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
            if store.find(stage.kind, stage.digest) is None:
                if stopping():
                    raise Preempted(f"{stage.label} was not begun")
                failure = _make_with_trail(stage, store, runtime, path, stopping)
                if failure is not None:
                    failures[stage.digest] = failure
                    write_record(store, stage, runtime, failure)
                    continue
            clear_record(store, stage.digest)
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
        board.finished(task, schedule.finish(task, failures))


def _make_with_trail(
    stage: Stage, store: Store, runtime: Runtime, progress: Path, stopping: Callable[[], bool]
) -> Failure | None:
    """Make `stage`; what is recorded of it goes on from where another machine may have left it."""
    trail = (log_path(store, stage.digest), runtime.tracking / f"{stage.digest}.jsonl")
    for file in trail:
        store.obtain(file)
    try:
        with stage_log(store, stage.digest) as record:
            return _make(stage, store, runtime, progress, record, stopping)
    finally:
        for file in trail:
            if file.exists():
                store.share(file)


def _make(
    stage: Stage,
    store: Store,
    runtime: Runtime,
    progress: Path,
    record: StageLog,
    stopping: Callable[[], bool],
) -> Failure | None:
    """Make `stage`, in as many attempts as the class of its failure is worth."""
    attempt = 0
    while True:
        attempt += 1
        record.attempt(attempt, stage)
        try:
            report = ProgressFile(progress, stage.digest)
            produce(stage, store, runtime, lambda stage: make_tracker(stage, runtime), report, stopping)
        except Exception as error:
            failure = Failure.of(error, attempt)
            record.write(f"failed ({failure.failure_class})\n{failure.trace}")
            if not _worth_another_attempt(stage, store, failure, needs_room=is_full_disk(error)):
                return failure
        else:
            return None


def _worth_another_attempt(stage: Stage, store: Store, failure: Failure, *, needs_room: bool) -> bool:
    """Wait as the policy says; after a full disk go on only if there is more room than before."""
    wait = failure.wait
    if wait is None:
        return False
    free = shutil.disk_usage(store.root).free
    log.warning("%s: %s; next attempt in %g s", stage.label, failure.reason, wait)
    sleep(wait)
    return not needs_room or shutil.disk_usage(store.root).free > free
