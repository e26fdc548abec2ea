"""Which task may run next, and what becomes of a plan: done, failed, or not run because something failed."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping

from cambrian.sweep.failures import Failure
from cambrian.sweep.plan import Plan, Task
from cambrian.sweep.store import Store


class Schedule:
    """The tasks of a plan, handed out in order of urgency as soon as all before them are complete."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan = plan
        self._store = store
        tasks = plan.tasks()
        self.tasks = {task.id: task for task in tasks}
        self._rank = {task.id: rank for rank, task in enumerate(tasks)}
        self._open = {task.id: len(task.depends) for task in tasks}
        self._dependents: dict[str, list[Task]] = defaultdict(list)
        for task in tasks:
            for before in task.depends:
                self._dependents[before].append(task)
        self._ready = [rank for rank, task in enumerate(tasks) if not task.depends]
        self._order = tasks
        self._left = set(self.tasks)
        self.done: dict[str, None] = {}
        """Digests of stages made."""
        self.failed: dict[str, Failure] = {}
        """By digest."""
        self.not_run: dict[str, str] = {}
        """Digest -> the failure that stands in its way."""

    @property
    def is_over(self) -> bool:
        """Whether every task has ended, well or not."""
        return not self._left

    def next(self) -> Task | None:
        """Hand out the most urgent task that can start; None while the rest waits for running tasks."""
        return self._order[heapq.heappop(self._ready)] if self._ready else None

    def finish(self, task: Task, failures: Mapping[str, Failure]) -> dict[str, Failure]:
        """Take note that `task` has ended; the store decides which of its stages are done.

        Returns:
            The failures of those that are not, by digest.
        """
        failed = {}
        for digest in task.stages:
            if self._store.find(self._plan.stages[digest].kind, digest) is not None:
                self.done[digest] = None
            else:
                failed[digest] = failures.get(digest) or Failure.of_dead_worker(for_memory=False)
        self.failed.update(failed)
        self._left.discard(task.id)
        if failed:
            self._give_up(task, f"needs {self._plan.stages[next(iter(failed))].label}, which failed")
        else:
            self._release(task)
        return failed

    def interrupt(self, reason: str) -> None:
        """Take note that what is left will not run now."""
        for task_id in self._left:
            self.not_run |= dict.fromkeys(self.tasks[task_id].stages, reason)

    def _release(self, task: Task) -> None:
        for dependent in self._dependents[task.id]:
            self._open[dependent.id] -= 1
            if not self._open[dependent.id]:
                heapq.heappush(self._ready, self._rank[dependent.id])

    def _give_up(self, task: Task, reason: str) -> None:
        stack = list(self._dependents[task.id])
        while stack:
            dependent = stack.pop()
            if dependent.id in self._left:
                self._left.discard(dependent.id)
                self.not_run |= dict.fromkeys(dependent.stages, reason)
                stack += self._dependents[dependent.id]
