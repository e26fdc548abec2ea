"""Stage `language`: pre-train the lab's tiny LLM on symbolic scenes, captions and text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.lab.language import train
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.device import prepare_device


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the LLM in Hugging Face's format; metrics hold what it solves from perfect symbolic input."""
    return train(
        recipe,
        payload=context.payload,
        workdir=context.workdir,
        device=prepare_device(context.runtime),
        micro_batch=context.runtime.micro_batch,
        checkpoint_seconds=context.runtime.checkpoint_seconds,
        tracker=context.tracker,
        progress=context.progress,
    )
