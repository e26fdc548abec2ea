"""A plan under one Ray Tune Tuner: one trial per task, released when the tasks before it are complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray import tune
from ray.exceptions import RayTaskError
from ray.tune.search import Searcher

from cambrian.memory import kernel_kills
from cambrian.preemption import Notice, Preempted, Preemption
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.stages.job import PlaceLost, WorkerDied
from cambrian.sweep.failures import RETRIES_OF_WORKERS, Failure
from cambrian.sweep.inline import run_task
from cambrian.sweep.plan import Plan, Task
from cambrian.sweep.progress import Board
from cambrian.sweep.records import write_record
from cambrian.sweep.resources import Request, Resources, check_feasible, request
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.store import Store

T = TypeVar("T")

QUEUE = 2
"""Trials handed to Tune per place to run them: the next one is at hand, a more urgent one waits little."""


def fit(
    plan: Plan,
    schedule: Schedule,
    board: Board,
    store: Store,
    runtime: Runtime,
    files: Path,
    preemption: Preemption,
) -> None:
    """Run every task of `schedule` on the Ray that this process is connected to.

    Args:
        plan: what the tasks are made of.
        schedule: hands out the tasks and takes note of their ends.
        board: is told what happens.
        store: where workers put results.
        runtime: as workers should see it.
        files: directory for Tune's own files, which all workers can read.
        preemption: tells when to stop; then this returns once the workers have saved their work.

    Raises:
        UserError: if a stage asks for more than the machines have.
    """
    machines = find_machines()
    check_feasible(plan, runtime, machines)
    on_gpu = runtime.device.startswith("cuda")
    places = int(sum(machine.gpus if on_gpu else machine.cpus / runtime.threads for machine in machines))
    notice = store.notice(files)
    preemption.tell(notice)
    members = {task.id: [plan.stages[digest] for digest in task.stages] for task in schedule.tasks.values()}
    trainable = tune.with_resources(
        tune.with_parameters(TaskTrainable, members=members, store=store, runtime=runtime, notice=notice),
        lambda config: place(config["bundles"]),  # pyright: ignore[reportArgumentType]
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=TaskSearcher(schedule, board, runtime, preemption, machines),
            num_samples=len(members),
            max_concurrent_trials=QUEUE * max(1, places),
            # A warm worker has its imports behind it. One with a GPU may keep its memory, that starts anew.
            reuse_actors=not on_gpu,
        ),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=str(files),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=RETRIES_OF_WORKERS),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[DeathCallback(plan, schedule, board, store, runtime, preemption)],
        ),
    )
    tuner.fit()


class WorkerPreempted(Exception):  # noqa: N818 - it names the event
    """One worker was told to leave, not the whole session."""


def work_until_told(notice: Notice, work: Callable[[Preemption], T]) -> T | None:
    """Do `work` in a worker of Tune; None if the whole session, which leaves a `notice`, has to leave.

    Raises:
        WorkerPreempted: if this worker alone is preempted: another one is to resume.
        WorkerDied: if a part of it ran elsewhere and is lost: Tune is to place it anew.
    """
    try:
        with Preemption(notice) as preemption:
            return work(preemption)
    except Preempted as left:
        if not notice.exists():
            raise WorkerPreempted(str(left)) from left
        return None
    except PlaceLost as lost:
        raise WorkerDied(str(lost)) from lost


def reserve(asked: Request, machines: Sequence[Resources]) -> list[dict[str, float]]:
    """Give the bundles in which Ray is to hold what is `asked`, the first of them for the worker of Tune."""
    return [{"CPU": bundle.cpus, "GPU": bundle.gpus} for bundle in asked.bundles(machines)]


def place(bundles: list[dict[str, float]]) -> tune.PlacementGroupFactory:
    """Have the bundles of a worker put on as few machines as may be."""
    return tune.PlacementGroupFactory(bundles, strategy="PACK")


def find_machines() -> list[Resources]:
    """What the machines of the Ray that this process is connected to have."""
    return [
        Resources(cpus=node["Resources"].get("CPU", 0), gpus=node["Resources"].get("GPU", 0))
        for node in ray.nodes()
        if node["Alive"]
    ]


class TaskTrainable(tune.Trainable):
    """A worker of Tune: one step makes the stages of one task. Results go through the store.

    Errors of a stage are part of the result, for trying again would only repeat them. What kills the worker
    is for Tune to retry; the stage then resumes from its checkpoint.
    """

    def setup(  # pyright: ignore[reportIncompatibleMethodOverride] (with_parameters adds arguments)
        self,
        config: dict[str, Any],
        members: Mapping[str, list[Stage]],
        store: Store,
        runtime: Runtime,
        notice: Notice,
    ) -> None:
        """Keep what all trials of this worker share."""
        self._members = members
        self._store = store
        self._runtime = runtime
        self._notice = notice

    def step(self) -> dict[str, Any]:
        """Make the stages of the task that the trial's config names.

        Raises:
            WorkerPreempted: if this worker alone is preempted: another one is to resume.
        """
        stages = self._members[self.config["task"]]
        runtime = replace(self._runtime, spread=len(self.config["bundles"]) > 1)
        failures = work_until_told(
            self._notice, lambda preemption: run_task(stages, self._store, runtime, preemption)
        )
        if failures is None:
            return {"done": True, "left": True}
        return {"done": True, "left": False, "failures": list(failures.items())}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Agree to serve another trial."""
        return True


class _Unsaved:
    """Stays out of Tune's own snapshots: the store knows what is done, the next sweep makes its own plan."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class TaskSearcher(_Unsaved, Searcher):
    """Tune's view of a schedule: a suggestion is a task that can start now."""

    def __init__(
        self,
        schedule: Schedule,
        board: Board,
        runtime: Runtime,
        preemption: Preemption,
        machines: Sequence[Resources],
    ) -> None:
        super().__init__()
        self._machines = machines
        self._schedule = schedule
        self._board = board
        self._runtime = runtime
        self._preemption = preemption
        self._tasks: dict[str, Task] = {}

    def suggest(  # pyright: ignore[reportIncompatibleMethodOverride] (Tune's annotation lacks FINISHED)
        self, trial_id: str
    ) -> dict[str, Any] | str | None:
        """Hand out a task, FINISHED when all have ended, None while none can start."""
        if self._preemption():
            return Searcher.FINISHED
        task = self._schedule.next()
        if task is None:
            return Searcher.FINISHED if self._schedule.is_over else None
        self._tasks[trial_id] = task
        bundles = reserve(request(task.kind, self._runtime), self._machines)
        return {"task": task.id, "bundles": bundles}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take note of the end of a task; after an `error` there is no result, that is the callback's."""
        task = self._tasks.pop(trial_id)
        if error or (self._preemption() and (not result or result["left"])):
            return  # what was left by a preemption is neither done nor failed: the next start resumes it
        failures: dict[str, Failure] = dict(result["failures"]) if result else {}
        self._board.finished(task, self._schedule.finish(task, failures))

    def save(self, checkpoint_path: str) -> None:
        """Write nothing."""


class PreemptibleCallback(_Unsaved, tune.Callback):
    """What callbacks of a session share that may be told to leave."""

    def __init__(self, preemption: Preemption) -> None:
        self._preemption = preemption

    def setup(
        self,
        stop: object = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,  # noqa: ANN401
    ) -> None:
        """Take back the signals, of which Tune has just taken SIGUSR1 for an end without order."""
        self._preemption.listen()


class DeathCallback(PreemptibleCallback):
    """Tells the board when workers begin and die, and ends the tasks of those that died too often."""

    def __init__(
        self,
        plan: Plan,
        schedule: Schedule,
        board: Board,
        store: Store,
        runtime: Runtime,
        preemption: Preemption,
    ) -> None:
        super().__init__(preemption)
        self._plan = plan
        self._schedule = schedule
        self._board = board
        self._store = store
        self._runtime = runtime
        self._kills = kernel_kills()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ANN401
        """A worker has begun."""
        self._board.started(self._task(trial))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ANN401
        """A worker has died, and the task will be tried again."""
        self._board.retried(self._task(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ANN401
        """A worker has died, and the task will not be tried again now."""
        if self._preemption():
            return
        task, death = self._task(trial), self._describe(trial)
        failed = self._schedule.finish(task, dict.fromkeys(task.stages, death))
        for digest, failure in failed.items():
            write_record(self._store, self._plan.stages[digest], self._runtime, failure)
        self._board.finished(task, failed)

    def _task(self, trial: Any) -> Task:  # noqa: ANN401
        return self._schedule.tasks[trial.config["task"]]

    def _describe(self, trial: Any) -> Failure:  # noqa: ANN401
        error = trial.get_pickled_error()
        if isinstance(error, RayTaskError):  # it lived to say why
            return Failure.of(error.cause or error, 1 + RETRIES_OF_WORKERS)
        killed_by_ray = "low on memory" in str(trial.get_error())
        return Failure.of_dead_worker(for_memory=killed_by_ray or kernel_kills() > self._kills)
