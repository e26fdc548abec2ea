"""Stage `language`: pre-train the lab's tiny LLM on symbolic scenes, captions and text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.lab.language import train
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.device import training_conditions


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the LLM in Hugging Face's format; metrics hold what it solves from perfect symbolic input."""
    return train(recipe, context.payload, training_conditions(context))
