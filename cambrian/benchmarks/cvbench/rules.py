"""When a question may be asked: the thresholds, each with its reason.

The paper (Tong et al. 2024, appendix on CV-Bench) gives the rules and none of their numbers: "a specified
offset", "options that are similar to the correct answer", objects that are not "too small or difficult to
discern". Its numbers of questions are published; those of each source within a task are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from cambrian.errors import ConfigError

COUNT, RELATION, DEPTH, DISTANCE = "Count", "Relation", "Depth", "Distance"
"""The tasks, by their names in the published data."""
KINDS: Mapping[str, str] = {COUNT: "2D", RELATION: "2D", DEPTH: "3D", DISTANCE: "3D"}
TASKS = tuple(KINDS)
PUBLISHED: Mapping[str, int] = {COUNT: 788, RELATION: 650, DEPTH: 600, DISTANCE: 600}
"""Questions of each task in the paper's table."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Thresholds; every default is ours, and the reason is beside it."""

    min_share: float = field(
        default=0.0033, metadata={"what": "least part of the picture that an object covers"}
    )
    """Least part of the picture that an object's box covers: 32 x 32 pixels of 640 x 480, below which COCO
    itself calls an object small. The paper's experts rejected what was too small to discern."""
    relation_gap: float = field(
        default=0.05, metadata={"what": "least space between two objects, as part of the picture's side"}
    )
    """Least space between two boxes along the axis that is asked about. Boxes that overlap there can be told
    apart by their centres alone, about which people disagree."""
    max_count: int = field(default=10, metadata={"what": "most objects to be counted"})
    """Most objects that are asked to be counted; COCO's annotators did not draw more than about ten one by
    one, and marked the rest as a crowd."""
    max_absent: float = field(
        default=0.2, metadata={"what": "largest part of the counting questions with answer 0"}
    )
    """Largest part of the counting questions whose answer is 0: with five options, who always says 0 then
    scores no more than who guesses."""
    offset_metres: float = field(
        default=0.2, metadata={"what": "metres by which the farther object is farther"}
    )
    """By how much the farther object has to be farther: boxes of indoor scenes are off by centimetres."""
    offset_share: float = field(
        default=0.1, metadata={"what": "the same as part of the distance; the larger counts"}
    )
    """And by which part of the distance; the larger of the two counts. Far away, depth shows as a ratio."""
    min_visibility: float = field(
        default=0.5, metadata={"what": "least part of an object that is not hidden"}
    )
    """Least part of an object of Omni3D that is not hidden, where that is annotated."""
    max_truncation: float = field(default=0.5, metadata={"what": "largest part of it outside the picture"})
    """Largest part of it that is outside the picture, where that is annotated."""
    max_overlap: float = field(
        default=0.5, metadata={"what": "largest intersection over union of two frames"}
    )
    """Most that two frames of a question may coincide; beyond, it is hard to see what each one is about."""

    def __post_init__(self) -> None:
        faults = []
        for name in (one.name for one in fields(self)):
            value, most = getattr(self, name), 100 if name in ("max_count", "offset_metres") else 1
            least = 1 if name == "max_count" else 0
            if not least <= value <= most:
                faults.append(f"{name} must be from {least} to {most}, got {value}")
        if faults:
            raise ConfigError(faults)

    def separates(self, near: float, far: float) -> bool:
        """Whether two distances in metres differ by enough to ask which one is smaller."""
        return far - near >= max(self.offset_metres, self.offset_share * near)
