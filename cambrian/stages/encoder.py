"""Stage `encoder`: pre-train one of the lab's encoders with its own objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.lab.pretraining import train
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.device import training_conditions


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the encoder in its own format; metrics hold what a linear probe reads from its features."""
    return train(recipe, context.payload, training_conditions(context))
