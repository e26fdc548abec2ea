"""The table of objectives: a kind, its settings, and how to make one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.tiny import TinyViT
from cambrian.errors import UserError, unknown_name
from cambrian.lab.objectives.base import Objective
from cambrian.lab.objectives.contrastive import Clip, Siglip
from cambrian.lab.objectives.dino import DistillationSettings, SelfDistillation
from cambrian.lab.objectives.mae import MaskedAutoencoder
from cambrian.lab.objectives.segmentation import Segmentation

NONE = "none"
"""Kind of the controls that are not trained."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveRow:
    """One kind of objective."""

    make: Callable[[VisionEncoder, Mapping[str, Any]], Objective]
    settings: tuple[str, ...]
    """Fields of the recipe's `objective` besides `kind`, all required."""


def _vit(encoder: VisionEncoder) -> TinyViT:
    if not isinstance(encoder, TinyViT):
        raise UserError("this objective hides patches and needs architecture kind 'vit'")
    return encoder


def _siglip(encoder: VisionEncoder, settings: Mapping[str, Any]) -> Objective:
    return Siglip(encoder, embedding=settings["embedding"], negatives=settings["negatives"])


def _clip(encoder: VisionEncoder, settings: Mapping[str, Any]) -> Objective:
    return Clip(encoder, embedding=settings["embedding"], negatives=settings["negatives"])


def _dino(encoder: VisionEncoder, settings: Mapping[str, Any]) -> Objective:
    return SelfDistillation(_vit(encoder), DistillationSettings(**settings))


def _mae(encoder: VisionEncoder, settings: Mapping[str, Any]) -> Objective:
    return MaskedAutoencoder(
        _vit(encoder), masked=settings["masked"], decoder_width=settings["decoder_width"]
    )


def _segmentation(encoder: VisionEncoder, settings: Mapping[str, Any]) -> Objective:
    return Segmentation(encoder, squares=settings["squares"], foreground_weight=settings["foreground_weight"])


OBJECTIVES: dict[str, ObjectiveRow] = {
    "siglip": ObjectiveRow(make=_siglip, settings=("embedding", "negatives")),
    "clip": ObjectiveRow(make=_clip, settings=("embedding", "negatives")),
    "dino": ObjectiveRow(make=_dino, settings=tuple(DistillationSettings.__dataclass_fields__)),
    "mae": ObjectiveRow(make=_mae, settings=("masked", "decoder_width")),
    "segmentation": ObjectiveRow(make=_segmentation, settings=("squares", "foreground_weight")),
}


def build_objective(encoder: VisionEncoder, recipe: Mapping[str, Any]) -> Objective:
    """Make the objective of `recipe`, `{"kind": ..., settings...}`, around `encoder`.

    Raises:
        UserError: for an unknown kind, and for a setting that is unknown or missing.
    """
    settings = {name: value for name, value in recipe.items() if name != "kind"}
    kind = recipe["kind"]
    if kind not in OBJECTIVES:
        raise UserError(unknown_name("objective", str(kind), [*OBJECTIVES, NONE]))
    row = OBJECTIVES[kind]
    for name in settings:
        if name not in row.settings:
            raise UserError(unknown_name(f"setting of objective '{kind}'", name, row.settings))
    missing = [name for name in row.settings if name not in settings]
    if missing:
        raise UserError(f"objective '{kind}' lacks {', '.join(missing)}")
    return row.make(encoder, settings)
