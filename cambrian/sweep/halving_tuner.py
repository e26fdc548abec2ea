"""Successive halving under one Ray Tune Tuner: a trial is a run, an iteration is a rung."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler

from cambrian.preemption import Notice, Preemption
from cambrian.runtime import Runtime
from cambrian.sweep.failures import RETRIES_OF_WORKERS, Failure
from cambrian.sweep.halving import Candidate, Look, Standings, take_look
from cambrian.sweep.plan import Plan
from cambrian.sweep.resources import check_feasible, largest, request
from cambrian.sweep.store import Store
from cambrian.sweep.tuner import PreemptibleCallback, find_machines, place, reserve, work_until_told

BELOW_ALL = -1.0
"""What Tune is told of a failed run, in percent: it counts as the worst."""


def climb(
    standings: Standings,
    plan: Plan,
    store: Store,
    runtime: Runtime,
    files: Path,
    preemption: Preemption,
) -> None:
    """Take the candidates up the rungs on the Ray that this process is connected to.

    Args:
        standings: with the candidates; is told what they come to.
        plan: of all rungs, for what its stages ask of a machine.
        store: where workers put results.
        runtime: as workers should see it.
        files: directory for Tune's own files, which all workers can read.
        preemption: tells when to stop; then this returns once the workers have saved their work.

    Raises:
        UserError: if a stage asks for more than the machines have.
    """
    machines = find_machines()
    check_feasible(plan, runtime, machines)
    kinds = {plan.stages[digest].kind for digest in plan.pending}
    bundles = reserve(largest([request(kind, runtime) for kind in kinds]), machines)
    notice = store.notice(files)
    preemption.tell(notice)
    trainable = tune.with_resources(
        tune.with_parameters(
            LookTrainable,
            candidates=standings.candidates,
            factor=standings.factor,
            store=store,
            runtime=replace(runtime, spread=len(bundles) > 1),
            notice=notice,
        ),
        place(bundles),
    )
    tuner = tune.Tuner(
        trainable,
        param_space={"candidate": tune.grid_search(list(standings.candidates))},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            scheduler=_scheduler(standings),
            reuse_actors=not runtime.device.startswith("cuda"),
        ),
        run_config=tune.RunConfig(
            name="halving",
            storage_path=str(files),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=RETRIES_OF_WORKERS),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[StandingsCallback(standings, preemption)],
        ),
    )
    tuner.fit()


def _scheduler(standings: Standings) -> AsyncHyperBandScheduler:
    """Give what decides after each rung who goes on."""
    return AsyncHyperBandScheduler(
        time_attr="size",
        grace_period=1,
        reduction_factor=standings.factor,
        # Beyond the last rung, which ends by itself.
        max_t=math.ceil(standings.factor ** len(standings.rungs)),
    )


class LookTrainable(tune.Trainable):
    """A worker of Tune: one step takes a run to its next rung. Results go through the store.

    A worker that takes over from a dead one finds the rungs before in the store.
    """

    def setup(  # pyright: ignore[reportIncompatibleMethodOverride] (with_parameters adds arguments)
        self,
        config: dict[str, Any],
        candidates: Mapping[str, Candidate],
        factor: float,
        store: Store,
        runtime: Runtime,
        notice: Notice,
    ) -> None:
        """Keep what all trials of this worker share."""
        self._candidates = candidates
        self._factor = factor
        self._store = store
        self._runtime = runtime
        self._notice = notice
        self._rung = 0

    def step(self) -> dict[str, Any]:
        """Take the next look.

        Raises:
            WorkerPreempted: if this worker alone is preempted: another one is to resume.
        """
        candidate, rung = self._candidates[self.config["candidate"]], self._rung
        report = {"rung": rung, "size": self._factor**rung, "score": BELOW_ALL, "look": None}
        look = work_until_told(
            self._notice,
            lambda preemption: take_look(candidate, rung, self._store, self._runtime, preemption),
        )
        if look is None:
            return {**report, "done": True}
        self._rung += 1
        if look.score is None:
            return {**report, "look": look, "done": True}
        is_last = self._rung == len(candidate.looks)
        return {**report, "look": look, "score": look.score, "done": is_last}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin with another run."""
        self._rung = 0
        return True


class StandingsCallback(PreemptibleCallback):
    """Tells the standings what workers come to."""

    def __init__(self, standings: Standings, preemption: Preemption) -> None:
        super().__init__(preemption)
        self._standings = standings

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Any],
        trial: Any,  # noqa: ANN401
        result: dict[str, Any],
        **info: Any,  # noqa: ANN401
    ) -> None:
        """A look was taken, unless the worker had to leave."""
        if result["look"] is not None:
            self._standings.record(trial.config["candidate"], result["rung"], result["look"])

    def on_trial_error(
        self,
        iteration: int,
        trials: list[Any],
        trial: Any,  # noqa: ANN401
        **info: Any,  # noqa: ANN401
    ) -> None:
        """A worker has died too often."""
        if not self._preemption():
            name = trial.config["candidate"]
            rung = len(self._standings.scores[name])
            death = Failure.of_dead_worker(for_memory=False)
            self._standings.record(name, rung, Look(score=None, failure=death))
