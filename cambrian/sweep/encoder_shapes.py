"""What planning knows of the encoder of a recipe: its sizes, and how many blocks it has."""

from __future__ import annotations

from cambrian.recipe import Encoder
from cambrian.sweep.shapes import ENCODERS
from cambrian.sweep.shapes import Encoder as Shape


def shape_of(encoder: Encoder) -> Shape:
    """Sizes of a real encoder: from the table, or as they were measured."""
    if encoder.measured is None:
        return ENCODERS[encoder.name]
    return Shape(name=encoder.name, **{**encoder.measured, "blocks": (encoder.measured["blocks"],)})


def block_count(encoder: Encoder) -> int:
    """Blocks up to the layer that gives the features; 0 if they cannot be told apart."""
    architecture = encoder.architecture
    if architecture["kind"] == "vit":
        return architecture["depth"]
    if architecture["kind"] == "convnet":
        return sum(architecture["depths"])
    if architecture["kind"] == "pixels":
        return 0
    blocks = shape_of(encoder).blocks
    behind = 0 if encoder.measured else -1 - architecture.get("layer", -1)
    return sum(blocks[: len(blocks) - behind])
