"""A stage that does nothing, and the same nothing for the programs that ours is compared with."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECONDS = 0.05
"""Length of the nothing."""


def work() -> None:
    """Do nothing for a while."""
    time.sleep(SECONDS)


def run(recipe: Mapping[str, Any], inputs: object, context: object) -> dict[str, Any]:
    """Be a stage."""
    work()
    return {"number": recipe["number"]}


def install() -> None:
    """Let stages of the kind `encoder` do nothing."""
    from cambrian.stages.base import KINDS, StageKind

    KINDS["encoder"] = StageKind(name="encoder", version=1, function="noop:run")


def sweep(store: str, count: int) -> int:
    """Execute `count` different stages with two workers on Ray; the exit code."""
    from cambrian.runtime import Runtime
    from cambrian.stages.base import Stage
    from cambrian.sweep.execute import execute
    from cambrian.sweep.plan import Run, make_plan
    from cambrian.sweep.store import Store

    made = [
        Stage(kind="encoder", recipe={"number": number}, inputs={}, label=f"stage {number}", work=1.0)
        for number in range(count)
    ]
    runs = [Run(name=stage.label, axes={}, finals=(stage.digest,)) for stage in made]
    place = Store(Path(store))
    plan = make_plan(runs, {stage.digest: stage for stage in made}, place)
    return execute(plan, place, Runtime(store=Path(store), workers=2)).exit_code


def tune_alone(count: int) -> None:
    """Run the same nothings as trials of Ray Tune, two at a time, with warm workers: Tune at its quickest.

    Ray itself is started as ours is. A class without checkpoints must switch off the one that Tune takes at
    the end of each trial: it would fail, and with it the trial and its warm worker.
    """
    from cambrian.runtime import Runtime
    from cambrian.sweep.ray_cluster import ray_session

    with ray_session(Runtime(store=Path()), cpus=2, threads=1) as files:
        from ray import tune

        class Nothing(tune.Trainable):
            def step(self) -> dict[str, Any]:
                work()
                return {"done": True}

            def reset_config(self, new_config: dict[str, Any]) -> bool:
                return True

        tuner = tune.Tuner(
            Nothing,
            param_space={"number": tune.grid_search(list(range(count)))},
            # More trials at the same time would only ask for placement groups that are never used.
            tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=2),
            run_config=tune.RunConfig(
                verbose=0,
                storage_path=str(files),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        results = tuner.fit()
        assert not results.num_errors, results.errors


if __name__ == "__main__":
    name, number, *place = sys.argv[1:]
    if name == "work":
        work()
    elif name == "tune":
        tune_alone(int(number))
    else:
        sys.exit(sweep(place[0], int(number)))
