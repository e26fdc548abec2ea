"""What the person at the keyboard sees: a live table, or plain lines where there is no terminal."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from cambrian.sweep.failures import Failure
from cambrian.sweep.plan import Plan, Run, Task
from cambrian.sweep.rendering import duration
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.store import Store

LOG = logging.getLogger(__name__)
WRITE_SECONDS = 0.5
"""Least time between two reports of a worker."""
FRAME_LINES = 7
"""Lines of the table besides its rows, and of the prompt."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where a running task is."""

    digest: str
    """Stage at work."""
    done: int
    total: int
    """Steps of that stage; 0 while unknown."""
    seconds: float
    """Since that stage began."""


class ProgressFile:
    """How a task tells the driver where it is: a small file that workers on any host can replace."""

    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest
        self._began = time.monotonic()
        self._next = 0.0
        path.parent.mkdir(parents=True, exist_ok=True)
        self(0, 0)

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total` steps, unless the last report is fresh."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + WRITE_SECONDS
        record = {"digest": self._digest, "done": done, "total": total, "seconds": now - self._began}
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_text(json.dumps(record))
            draft.replace(self._path)
        except OSError as error:
            LOG.warning("cannot report progress from here on: %s", error)
            self._next = float("inf")


def progress_path(store: Store, task_id: str) -> Path:
    """Where the worker of a task reports."""
    return store.root / "tracking" / f"{task_id}.progress"


def read_step(path: Path) -> Step | None:
    """Read what a worker reported; None before its first and after its last word."""
    try:
        return Step(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None


class Board:
    """The live table of a sweep, as a context manager."""

    def __init__(
        self, plan: Plan, schedule: Schedule, store: Store, workers: int, console: Console | None = None
    ) -> None:
        self._plan = plan
        self._schedule = schedule
        self._store = store
        self._workers = workers
        self._console = console or Console(highlight=False)
        self._began = time.monotonic()
        self._running: dict[str, float] = {}
        self._ended: set[str] = set()
        self._chains = run_chains(plan, schedule)
        self._stack = ExitStack()

    def __enter__(self) -> Board:
        if self._console.is_terminal:
            self._stack.enter_context(
                Live(console=self._console, get_renderable=self.table, refresh_per_second=2, transient=True)
            )
            self._stack.enter_context(_logs_above_table())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        done, failed, left = len(self._schedule.done), self._schedule.failed, self._schedule.not_run
        parts = [f"{done} stages done"]
        parts += [f"{len(failed)} failed"] if failed else []
        parts += [f"{len(left)} not run"] if left else []
        self._print(f"{', '.join(parts)} in {duration(time.monotonic() - self._began)}")

    def started(self, task: Task) -> None:
        """A worker has begun `task`."""
        self._running[task.id] = time.monotonic()
        if not self._console.is_terminal:
            self._print(f"started  {self._label(task)}")

    def retried(self, task: Task) -> None:
        """The worker of `task` died; another one will resume it."""
        self._running.pop(task.id, None)
        self._print(f"retrying {self._label(task)}: its worker died")

    def finished(self, task: Task, failed: Mapping[str, Failure]) -> None:
        """`task` has ended; of its stages, `failed` did not come out well."""
        began = self._running.pop(task.id, time.monotonic())
        self._ended.add(task.id)
        for digest, failure in failed.items():
            label = self._plan.stages[digest].label
            self._print(f"failed   {label} ({digest[:12]}): {failure.failure_class}")
            self._print(failure.trace)
        if not failed and not self._console.is_terminal:
            seconds = duration(time.monotonic() - began)
            count = f"{len(self._schedule.done)}/{len(self._plan.pending)}"
            left = f", about {duration(self._seconds_left())} left" if not self._schedule.is_over else ""
            self._print(f"done     {self._label(task)} ({seconds}); {count} stages{left}")

    def table(self) -> Table:
        """One row per run: stages done, the stage at work, its steps, the time left; finished runs last."""
        steps = {task_id: read_step(progress_path(self._store, task_id)) for task_id in tuple(self._running)}
        rows = sorted((self._row(run, steps) for run in self._plan.runs), key=lambda row: row[0])
        room = max(3, self._console.height - FRAME_LINES)
        title = f"{len(self._schedule.done)}/{len(self._plan.pending)} stages"
        table = Table("run", "stages", "at work", "steps", "left", title=title, title_justify="left")
        table.caption = f"about {duration(self._seconds_left())} left"
        for _, cells in rows[:room]:
            table.add_row(*cells)
        if len(rows) > room:
            table.add_row(f"... and {len(rows) - room} more runs")
        return table

    def _row(self, run: Run, steps: Mapping[str, Step | None]) -> tuple[int, tuple[str, ...]]:
        chain = self._chains[run.finals]
        stages = [digest for task_id in chain for digest in self._schedule.tasks[task_id].stages]
        made = f"{sum(digest in self._schedule.done for digest in stages)}/{len(stages)}"
        at_work = [task_id for task_id in chain if task_id in steps]
        broken = [digest for digest in stages if digest in self._schedule.failed]
        if at_work:
            step = steps[at_work[0]]
            label = self._plan.stages[step.digest if step else at_work[0]].label
            count = f"{step.done}/{step.total}" if step and step.total else ""
            left = sum(self._task_seconds(task_id) for task_id in chain if task_id not in self._ended)
            return 0, (run.name, made, label, count, duration(left))
        if broken:
            return 1, (run.name, made, f"failed: {self._plan.stages[broken[0]].label}", "", "")
        waiting = any(task_id not in self._ended for task_id in chain)
        return (2 if waiting else 3), (run.name, made, "waiting" if waiting else "done", "", "")

    def _seconds_left(self) -> float:
        """Estimate for the whole plan: work spread over the workers, but no less than the longest chain."""
        tasks = [task for task in self._schedule.tasks.values() if task.id not in self._ended]
        work = sum(self._task_seconds(task.id) for task in tasks)
        longest = max((task.path_seconds - self._elapsed(task) for task in tasks), default=0.0)
        return max(work / self._workers, longest)

    def _task_seconds(self, task_id: str) -> float:
        task = self._schedule.tasks[task_id]
        step = read_step(progress_path(self._store, task_id)) if task_id in self._running else None
        if step and step.done and len(task.stages) == 1:
            return step.seconds / step.done * (step.total - step.done)
        return max(0.0, task.seconds - self._elapsed(task))

    def _elapsed(self, task: Task) -> float:
        began = self._running.get(task.id)
        return 0.0 if began is None else min(task.seconds, time.monotonic() - began)

    def _label(self, task: Task) -> str:
        label = self._plan.stages[task.id].label
        return f"{label} and {len(task.stages) - 1} more" if len(task.stages) > 1 else label

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def run_chains(plan: Plan, schedule: Schedule) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Ids of the tasks that each run waits for, by the run's finals."""
    owner = {digest: task.id for task in schedule.tasks.values() for digest in task.stages}
    chains = {}
    for run in plan.runs:
        stack = [owner[digest] for digest in run.finals if digest in owner]
        chain: dict[str, None] = {}
        while stack:
            task_id = stack.pop()
            if task_id not in chain:
                chain[task_id] = None
                stack += schedule.tasks[task_id].depends
        chains[run.finals] = tuple(chain)
    return chains


@contextmanager
def _logs_above_table() -> Iterator[None]:
    """Let log lines appear above the live table, which would otherwise overwrite them."""
    handlers = [h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]
    streams = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams, strict=True):
            if stream is not None:
                handler.setStream(stream)
