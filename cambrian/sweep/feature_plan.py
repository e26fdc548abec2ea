"""Which features of frozen encoders are worth a place on the disk, from a plan's own estimate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from cambrian.hardware import Gpu
from cambrian.stages.base import Stage
from cambrian.stages.features import features_key
from cambrian.sweep.cost import UTILISATION
from cambrian.sweep.memory import VALUE_BYTES, Work
from cambrian.sweep.plan import Plan
from cambrian.sweep.work import TrainingWork

DISK_BYTES_PER_SECOND = 1e9
"""Of a disk that the machines share, an assumption."""
DISK_SHARE = 0.5
"""Of what is free, for features."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The features of one encoder for the images of one data set."""

    key: str
    bytes: float
    saved_seconds: float
    """What the stages but the first need not compute, less what writing and reading takes them all."""


def worth_keeping(
    plan: Plan, works: Mapping[str, Work], gpu: Gpu, gpus: int, free_bytes: float
) -> tuple[Candidate, ...]:
    """Choose the features that save time, those first that save most for their size, until the room ends.

    Args:
        plan: whose pending stages are to share them.
        works: what its stages compute, by digest; empty in the lab, where nothing is kept.
        gpu: on which a stage computes.
        gpus: of a stage.
        free_bytes: on the disk of the store.
    """
    found = [one for one in candidates(plan, works, gpu, gpus) if one.saved_seconds > 0]
    room = DISK_SHARE * free_bytes
    chosen: list[Candidate] = []
    for one in sorted(found, key=lambda one: one.saved_seconds / one.bytes, reverse=True):
        if one.bytes <= room:
            room -= one.bytes
            chosen.append(one)
    return tuple(chosen)


def candidates(plan: Plan, works: Mapping[str, Work], gpu: Gpu, gpus: int) -> list[Candidate]:
    """All features that the pending stages of a plan compute with frozen encoders."""
    users: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for digest in plan.pending:
        work, stage = works.get(digest), plan.stages[digest]
        if isinstance(work, TrainingWork) and not work.train_encoders:
            for index, encoder in enumerate(work.encoders):
                source = stage.inputs[f"encoder.{index}"]
                cells = _grid(plan.stages.get(source), encoder.grid) ** 2
                seconds = work.samples * encoder.flops / (gpu.flops * UTILISATION * gpus)
                key = features_key(source, stage.recipe["data"])
                users[key].append((seconds, VALUE_BYTES * work.samples * cells * encoder.width))
    return [
        Candidate(
            key=key,
            bytes=stages[0][1],
            saved_seconds=sum(seconds for seconds, _ in stages[1:])
            - len(stages) * stages[0][1] / DISK_BYTES_PER_SECOND,
        )
        for key, stages in users.items()
    ]


def _grid(encoder: Stage | None, own: int) -> int:
    """Side of the grid that an encoder gives, which a recipe may have changed."""
    return own if encoder is None else int(encoder.recipe["architecture"].get("grid", own))
