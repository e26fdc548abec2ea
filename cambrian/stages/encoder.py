"""Stage `encoder`: pre-train one of the lab's encoders with its own objective, or import a pretrained one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import build_encoder, save_encoder
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.errors import UserError
from cambrian.lab.pretraining import train
from cambrian.recipe import PRETRAINED
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.device import training_conditions


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the encoder in its own format; metrics hold what a linear probe reads from the lab's features.

    Raises:
        UserError: if pretrained weights are not here or are not those of the architecture.
    """
    if recipe["objective"]["kind"] == PRETRAINED:
        return _import(recipe, context)
    return train(recipe, context.payload, training_conditions(context))


def _import(recipe: Recipe, context: StageContext) -> dict[str, Any]:
    """Copy pretrained weights into the store, so that no later stage needs a network or the original."""
    from cambrian.encoders.sources import locate  # late: the lab needs no hub

    architecture, runtime = recipe["architecture"], context.runtime
    source = locate(
        architecture["kind"], recipe["objective"], copies=runtime.copies, download=runtime.download
    )
    encoder = build_encoder(architecture)
    if not isinstance(encoder, TrunkEncoder):
        raise UserError(f"an encoder of kind '{architecture['kind']}' has no pretrained weights")
    encoder.adopt(source.path)
    save_encoder(encoder.eval(), context.payload)
    context.note({"weights": source.facts()})
    return _sizes(encoder)


def _sizes(encoder: VisionEncoder) -> dict[str, int]:
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    return {"parameters": parameters, "grid": encoder.grid, "width": encoder.width}
