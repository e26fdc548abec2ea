"""What the annotations of one picture say, whichever data set they are from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cambrian.benchmarks.cvbench.cuboids import Cuboid

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A record that is not used, and why."""

    file: str
    record: str
    """Which one of the file, such as `annotation 17`."""
    reason: str

    @property
    def kind(self) -> str:
        """The reason without what is particular to this record."""
        return self.reason.partition(": ")[0]

    def __str__(self) -> str:
        return f"{self.file}, {self.record}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One annotated object."""

    category: str
    box: Box
    general: frozenset[str] = frozenset()
    """Names of what it is a kind of: a van may be a truck to who counts trucks."""
    cuboid: Cuboid | None = None
    """Its box in space, of a data set that has such."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture with all that is annotated in it."""

    source: str
    """COCO, ADE20K or Omni3D: what CV-Bench tells its questions apart by."""
    dataset: str
    """Source and split."""
    name: str
    """Of the picture's file in the data set; with `dataset` it names the scene."""
    picture: Path
    width: int
    height: int
    instances: tuple[Instance, ...]
    unclear: frozenset[str] = frozenset()
    """Categories of which the annotations do not tell the number: crowds, parts, more general names."""

    @cached_property
    def by_category(self) -> Mapping[str, tuple[Instance, ...]]:
        """The objects of each category, in order of their names."""
        found: dict[str, list[Instance]] = {}
        for instance in self.instances:
            found.setdefault(instance.category, []).append(instance)
        return {name: tuple(found[name]) for name in sorted(found)}


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What a reader found in a data set."""

    scenes: tuple[Scene, ...]
    faults: tuple[Fault, ...]


def share(box: Box, scene: Scene) -> float:
    """Part of the picture that a box covers."""
    left, top, right, bottom = box
    return (right - left) * (bottom - top) / (scene.width * scene.height)


def overlap(one: Box, two: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    return width * height / (sum(areas) - width * height)


def is_distinct(one: Instance, scene: Scene, most: float) -> bool:
    """Whether a frame tells this object from all others of its category: none coincides with it by more."""
    return all(
        other is one or overlap(other.box, one.box) <= most for other in scene.by_category[one.category]
    )


def clip(box: Box, width: int, height: int) -> Box | None:
    """The part of a box that is inside the picture; None if there is none."""
    left, top, right, bottom = box
    left, right = max(left, 0.0), min(right, float(width))
    top, bottom = max(top, 0.0), min(bottom, float(height))
    return (left, top, right, bottom) if left < right and top < bottom else None
