"""What a model is asked and shown in an evaluation, alike for the lab and for benchmarks of the hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.records import Question
from cambrian.benchmarks.rows import Benchmark
from cambrian.benchmarks.suite import BENCHMARKS, images, questions
from cambrian.data.pictures import Size, View
from cambrian.runtime import Runtime

BLOCK_BYTES = 192 << 20
"""Room for pictures in memory: so many are asked about at a time, while others are made ready."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Pictures made ready for the encoders."""

    pictures: Mapping[View, np.ndarray]
    """View -> uint8 (B, R, R, 3), of those that can be shown."""
    places: Mapping[str, int]
    """Name of a picture -> its index among the B."""
    sizes: Sequence[Size | None]
    """Width and height of each before it was padded; None for squares."""
    faults: Mapping[str, str]
    """Name of a picture that cannot be shown -> why."""


class Material(Protocol):
    """Questions and their pictures, by name."""

    @property
    def questions(self) -> Sequence[Question]:
        """Give those that are asked."""
        ...

    @property
    def total(self) -> int:
        """Count those that the benchmark has; 0 where there is no end to them."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """Say where it is from, for the provenance of a result."""
        ...

    def show(self, names: Sequence[str], views: Sequence[View]) -> Shown:
        """Make pictures ready, each decoded once for all views; what cannot be shown is not replaced."""
        ...


@dataclass(frozen=True, kw_only=True)
class LabMaterial:
    """Questions about the lab's world, whose pictures are drawn."""

    benchmark: Benchmark
    questions: Sequence[Question]
    seed: int
    total: int = 0

    @property
    def facts(self) -> Mapping[str, str]:
        """Nothing that the recipe does not say."""
        return {}

    def show(self, names: Sequence[str], views: Sequence[View]) -> Shown:
        """Draw pictures."""
        first: dict[str, int] = {}
        for index, question in enumerate(self.questions):
            first.setdefault(question.image, index)
        chosen, count = [first[name] for name in names], len(self.questions)
        drawn = {
            resolution: images(self.benchmark, count, self.seed, resolution, chosen)
            for resolution in {view.resolution for view in views}
        }
        return Shown(
            pictures={view: drawn[view.resolution] for view in views},
            places={name: index for index, name in enumerate(names)},
            sizes=[None] * len(names),
            faults={},
        )


def open_material(recipe: Mapping[str, Any], runtime: Runtime) -> Material:
    """Open what the recipe of an evaluation asks.

    Raises:
        UserError: if a benchmark of the hub is not on this machine, or its data are not what they should be.
    """
    benchmark = BENCHMARKS[recipe["benchmark"]["id"]]
    n, seed = recipe["questions"], recipe["seed"]
    if not isinstance(benchmark, HubBenchmark):
        return LabMaterial(benchmark=benchmark, questions=questions(benchmark, n, seed), seed=seed)
    from cambrian.benchmarks.hub.material import open_hub_material  # pandas and pyarrow, for these alone

    content = recipe["benchmark"]["data"].get("content", "")
    return open_hub_material(benchmark, runtime, content=content, n=n, seed=seed)


def blocks(asked: Sequence[Question], views: Sequence[View]) -> Iterator[list[int]]:
    """Give the questions in blocks whose pictures fit into memory; those about one picture come together.

    Indices within a block ascend.
    """
    each = sum(3 * view.resolution**2 for view in dict.fromkeys(views))
    most = max(1, BLOCK_BYTES // each)
    members: dict[str, list[int]] = {}
    for index, question in enumerate(asked):
        members.setdefault(question.image, []).append(index)
    names = list(members)
    for start in range(0, len(names), most):
        yield sorted(index for name in names[start : start + most] for index in members[name])
