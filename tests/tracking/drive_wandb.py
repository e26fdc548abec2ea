"""Log with the real client of W&B, in a process of its own: `python drive_wandb.py STORE MODE ACT...`."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

from finished import FEW, finish

from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.execute import Outcome
from cambrian.sweep.store import Store
from cambrian.sweep.summary import SweepRecord
from cambrian.tracking import wandb_client
from cambrian.tracking.trackers import make_tracker

STAGE = Stage(
    kind="tune",
    recipe={"steps": 8, "connector": {"kind": "sva", "side": 4}},
    inputs={"language": "ab" * 32},
    label="tune siglip+dinov2 sva 1.2M",
    axes={"encoder": ["siglip", "dinov2"], "connector": "sva", "seed": 0},
)
BROKEN = replace(STAGE, recipe={"steps": 9}, label="broken")
EVALUATION = Stage(
    kind="evaluate",
    recipe={"benchmark": {"id": "lab_count"}},
    inputs={"model": STAGE.digest},
    label="evaluate siglip+dinov2 lab_count",
    axes={**STAGE.axes, "benchmark": "lab_count", "category": "vision_centric"},
)
SCORES = {"score": 61.5, "low": 55.0, "high": 67.0, "blind": 30.0, "chance": 25.0, "n": 240}
TRACE = "Traceback (most recent call last):\nValueError: no good"
SWEEP = ["encoder=siglip,dinov2,pixels", "seed=1", FEW]
LACKING = "pixels"
REASON = "tune pixels: ValueError: no good"


def train(runtime: Runtime, stage: Stage, first: int, last: int, *, fails: bool = False) -> None:
    """Log the steps from `first` to `last` of a stage, as one that continues from a checkpoint does."""
    tracker = make_tracker(stage, runtime)
    for step in range(first, last + 1):
        curves = {"loss": 1.0 / step, "gradient_norm": float(step), "examples_per_second": 10.0 * step}
        tracker.log({**curves, "lr/connector": 0.1}, step=step)
    logging.getLogger("cambrian.training").warning("a word from step %d", last)
    if fails:
        tracker.fail("ValueError: no good", TRACE)
    else:
        tracker.summarize({"loss": 0.3, "steps": last})
    tracker.close()


def evaluate(runtime: Runtime) -> None:
    """Log an evaluation."""
    tracker = make_tracker(EVALUATION, runtime)
    tracker.summarize(SCORES)
    tracker.close()


def sweep(runtime: Runtime) -> None:
    """End a sweep of which one run has no result, twice."""
    plan = finish(runtime.store, SWEEP, lacking=[LACKING])
    lost = {run.name: REASON for run in plan.runs if run.axes["encoder"] == [LACKING]}
    outcome = Outcome(done=(), failed={}, not_run={}, unfinished=lost, interrupted=False)
    for _ in range(2):
        with SweepRecord(plan, Store(runtime.store), runtime) as record:
            record.finish(outcome)


def outlast(runtime: Runtime) -> None:
    """Log two stages to a server that falls silent within the first one."""
    wandb_client.INIT_SECONDS, wandb_client.FINISH_SECONDS = 15, 1
    tracker = make_tracker(STAGE, runtime)
    tracker.log({"loss": 1.0}, step=1)
    print("begun", flush=True)
    sys.stdin.readline()
    tracker.log({"loss": 0.5}, step=2)
    tracker.summarize({"loss": 0.3})
    tracker.close()
    train(runtime, BROKEN, 1, 2)


ACTS = {
    "train": lambda runtime: train(runtime, STAGE, 1, 8),
    "fail early": lambda runtime: train(runtime, STAGE, 1, 5, fails=True),
    "resume": lambda runtime: train(runtime, STAGE, 4, 8),
    "break": lambda runtime: train(runtime, BROKEN, 1, 2, fails=True),
    "evaluate": evaluate,
    "sweep": sweep,
    "outlast": outlast,
}

if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    root, mode, *acts = sys.argv[1:]
    settings = Runtime(store=Path(root), trackers=("jsonl", "wandb"), wandb_mode=mode, group="fig6")
    for act in acts:
        ACTS[act](settings)
