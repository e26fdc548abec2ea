"""Stage `encoder`: pre-train one of the lab's encoders with its own objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.lab.pretraining import train
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.device import prepare_device


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the encoder in its own format; metrics hold what a linear probe reads from its features."""
    return train(
        recipe,
        workdir=context.workdir,
        payload=context.payload,
        device=prepare_device(context.runtime),
        checkpoint_seconds=context.runtime.checkpoint_seconds,
        tracker=context.tracker,
        progress=context.progress,
    )
