"""Stage `align`: train the connector on captions, everything else frozen (the paper's stage 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.connecting import train_connected


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the connector."""
    return train_connected(recipe, inputs, context, stage="align", vision="frozen")
