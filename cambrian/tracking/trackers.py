"""The trackers of one stage, as one that never fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from cambrian.runtime import Runtime, Tracker
from cambrian.stages.base import Stage
from cambrian.tracking.jsonl import JsonlTracker
from cambrian.tracking.wandb_stage import WandbTracker

LOG = logging.getLogger(__name__)


class GuardedTracker:
    """Several trackers as one, of which each is dropped with a warning once it fails."""

    def __init__(self, label: str, makers: Mapping[str, Callable[[], Tracker]]) -> None:
        self._label = label
        self._live: dict[str, Tracker] = {}
        for name, make in makers.items():
            try:
                self._live[name] = make()
            except Exception as error:
                self._drop(name, error)

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Record `metrics` of `step` in every tracker."""
        self._each(lambda tracker: tracker.log(metrics, step=step))

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Record the final `metrics` in every tracker."""
        self._each(lambda tracker: tracker.summarize(metrics))

    def fail(self, reason: str, trace: str) -> None:
        """Record in every tracker why there are no final metrics."""
        self._each(lambda tracker: tracker.fail(reason, trace))

    def close(self) -> None:
        """Close every tracker."""
        self._each(lambda tracker: tracker.close())

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for name, tracker in tuple(self._live.items()):
            try:
                act(tracker)
            except Exception as error:
                self._drop(name, error)

    def _drop(self, name: str, error: Exception) -> None:
        self._live.pop(name, None)
        LOG.warning("%s: no %s record from here on: %s: %s", self._label, name, type(error).__name__, error)


def make_tracker(stage: Stage, runtime: Runtime) -> Tracker:
    """Make the trackers that `runtime` asks for, as one that never fails."""
    makers: dict[str, Callable[[], Tracker]] = {
        "jsonl": lambda: JsonlTracker(runtime.tracking / f"{stage.digest}.jsonl")
    }
    if "wandb" in runtime.trackers:
        makers["wandb"] = lambda: WandbTracker(stage, runtime)
    return GuardedTracker(stage.label, makers)
