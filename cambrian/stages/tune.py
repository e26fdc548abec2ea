"""Stage `tune`: train connector, LLM and, if unfrozen, encoders on instructions (the paper's stage 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.connecting import train_connected


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish connector, LLM and, if unfrozen, encoders."""
    blocks = recipe.get("vision_blocks")
    return train_connected(recipe, inputs, context, stage="tune", vision=recipe["vision"], blocks=blocks)
