"""What the rest of a plan will cost, from like stages in the store or, before any, from built-in rates."""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.stages.base import Artifact, Stage

if TYPE_CHECKING:
    from cambrian.sweep.plan import Task

SECONDS_PER_EXAMPLE = {
    "encoder": 2.7e-3,
    "language": 4.5e-3,
    "align": 7.0e-3,
    "tune": 1.5e-2,
    "evaluate": 4.0e-3,
}
"""Rates of the lab scale on one core of a laptop, used until the store knows better."""

UNKNOWN_KIND = 5.0e-3
"""Rate of a kind that is not in the table."""

LIKENESS = (("scale", "encoder", "connector", "vision"), ("scale", "connector"), ("scale",), ())
"""Axes in which a measured stage must agree with the one to estimate; the first that finds any decides."""

Key = tuple[str, ...]
"""Kind and the values of the axes of one level of likeness."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Seconds per example of work, measured on finished stages."""

    measured: Mapping[Key, float]

    @staticmethod
    def of(artifacts: Iterable[Artifact]) -> Rates:
        """Take the median over like stages, at every level of likeness."""
        samples: dict[Key, list[float]] = defaultdict(list)
        for artifact in artifacts:
            provenance = artifact.manifest["provenance"]
            rate = provenance["seconds"] / max(provenance["work"], 1.0)
            for level in LIKENESS:
                samples[_key(artifact.manifest["kind"], artifact.manifest["axes"], level)].append(rate)
        return Rates(measured={key: statistics.median(rates) for key, rates in samples.items()})

    def seconds(self, stage: Stage) -> float:
        """Seconds that `stage` will take on one core."""
        for level in LIKENESS if (stage.kind,) in self.measured else ():
            key = _key(stage.kind, stage.axes, level)
            if key in self.measured:
                return self.measured[key] * max(stage.work, 1.0)
        rate = SECONDS_PER_EXAMPLE.get(stage.kind, UNKNOWN_KIND)
        return rate * max(stage.work, 1.0)


def wall_seconds(tasks: Sequence[Task], workers: int) -> float:
    """Play through `tasks` on `workers` workers, the longest remaining path first.

    Args:
        tasks: ordered by priority, each after those it depends on.
        workers: how many run at the same time.
    """
    dependents: dict[str, list[int]] = defaultdict(list)
    open_inputs = [len(task.depends) for task in tasks]
    for index, task in enumerate(tasks):
        for other in task.depends:
            dependents[other].append(index)
    ready = [index for index, count in enumerate(open_inputs) if count == 0]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            index = heapq.heappop(ready)
            heapq.heappush(running, (now + tasks[index].seconds, index))
        now, index = heapq.heappop(running)
        for dependent in dependents[tasks[index].id]:
            open_inputs[dependent] -= 1
            if open_inputs[dependent] == 0:
                heapq.heappush(ready, dependent)
    return now


def longest_paths(seconds: Mapping[str, float], depends: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """Seconds from the start of each task to the end of all that follows from it.

    Args:
        seconds: of each task, tasks after those they depend on.
        depends: of each task, the tasks before it.
    """
    paths = dict(seconds)
    for task in reversed(list(seconds)):
        for before in depends[task]:
            paths[before] = max(paths[before], seconds[before] + paths[task])
    return paths


def sample(artifacts: Iterable[Artifact], limit: int) -> list[Artifact]:
    """Take at most `limit`, so that planning stays quick on a large store."""
    return list(itertools.islice(artifacts, limit))


def _key(kind: str, axes: Mapping[str, object], level: Sequence[str]) -> Key:
    return kind, *(f"{axis}={axes[axis]}" for axis in level if axis in axes)
