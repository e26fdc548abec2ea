"""Stage `language`: pre-train the lab's tiny LLM, or take a pretrained one into the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.lab.language import train
from cambrian.model.pretrained import import_language
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.device import training_conditions
from cambrian.workers import Dismissed, current_workers


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the LLM in Hugging Face's format; the lab's metrics are what it solves from symbolic input.

    Raises:
        UserError: if a pretrained LLM cannot be had or read.
    """
    if "world" in recipe:
        return train(recipe, context.payload, training_conditions(context))
    if not current_workers(context.runtime.device).is_first:
        raise Dismissed
    runtime = context.runtime
    metrics, facts = import_language(
        recipe, context.payload, copies=runtime.copies, download=runtime.download
    )
    context.note(facts)
    return metrics
