"""A stage as a run of Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping

from cambrian.runtime import Runtime
from cambrian.stages.base import KINDS, Stage
from cambrian.tracking.wandb_client import FAILED, STOPPED, axis_tags, finish_run, start_run

_MEANS = ("examples_per_second", "tokens_per_second", "padding", "data_wait", "mfu")
CURVES = dict.fromkeys(_MEANS, "mean") | {"gradient_norm": "max", "lr/*": "none"}
"""Metric of a training run -> what the run's summary keeps of its curve; of all others the last value."""


class WandbTracker:
    """One W&B run per executed stage.

    Group is the sweep, job type the kind of stage, tags the axes, config the resolved recipe; the id follows
    from the digest, so that a resumed stage continues its run.
    """

    def __init__(self, stage: Stage, runtime: Runtime) -> None:
        identity = {"digest": stage.digest, "kind": stage.kind, "version": KINDS[stage.kind].version}
        self._run = start_run(
            runtime,
            run_id=stage_run_id(stage.digest),
            name=stage.label,
            job_type=stage.kind,
            config={
                **stage.recipe,
                "axes": dict(stage.axes),
                "stage": {**identity, "inputs": dict(stage.inputs)},
            },
            tags=axis_tags(stage.axes),
        )
        self._exit_code = STOPPED
        self._scored = {name: stage.axes[name] for name in ("benchmark", "category") if name in stage.axes}
        for metric, summary in CURVES.items():
            self._run.define_metric(metric, summary=summary)

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Add `metrics` to the run's curves; what a resumed stage repeats is there already."""
        if step >= self._run.starting_step:
            # A step that waits for more metrics would be written after the summary, and over it.
            self._run.log(dict(metrics), step=step, commit=True)

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Put the final `metrics` into the run's summary, and take an earlier failure out of it."""
        if "failure" in self._run.summary.keys():  # noqa: SIM118 - a summary has no other test
            del self._run.summary["failure"]
        self._run.summary.update({**self._scored, **metrics})
        self._exit_code = 0

    def fail(self, reason: str, trace: str) -> None:
        """Put `reason` into the run's summary and `trace` on its page for logs."""
        self._run.write_logs(trace)
        self._run.summary["failure"] = reason
        self._exit_code = FAILED

    def close(self) -> None:
        """End the run as finished, failed, or killed if nothing was said.

        Raises:
            TimeoutError: if the server does not take the rest in time; it is then on disk for `wandb sync`.
        """
        finish_run(self._run, self._exit_code)


def stage_run_id(digest: str) -> str:
    """The id of the W&B run of the stage `digest`."""
    return digest[:16]
