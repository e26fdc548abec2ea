"""The one table of encoder architectures: how an encoder is built from a plain dict, saved and loaded."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from cambrian.encoders.base import VisionEncoder
from cambrian.errors import UserError, unknown_name

CONFIG = "config.json"
WEIGHTS = "model.safetensors"

KINDS: dict[str, str] = {
    "vit": "cambrian.encoders.tiny:TinyViT",
    "convnet": "cambrian.encoders.tiny:TinyConvNet",
    "pixels": "cambrian.encoders.tiny:RawPatches",
    "timm": "cambrian.encoders.timm_trunk:TimmEncoder",
    "transformers": "cambrian.encoders.transformers_trunk:TransformersEncoder",
    "diffusers": "cambrian.encoders.diffusion:DiffusionEncoder",
}
"""Kind -> `module:class`, imported when one is built: the lab needs neither timm nor diffusers."""


def build_encoder(architecture: Mapping[str, Any]) -> VisionEncoder:
    """Make an encoder with fresh weights from `{"kind": ..., settings...}`; seed torch before for fixed ones.

    Raises:
        UserError: for an unknown kind, for a setting that is unknown, missing or impossible, and for a kind
            whose library is not installed.
    """
    settings = dict(architecture)
    kind = settings.pop("kind", None)
    if kind not in KINDS:
        raise UserError(unknown_name("encoder architecture", str(kind), KINDS))
    module, _, name = KINDS[kind].partition(":")
    build = getattr(importlib.import_module(module), name)
    known = {field.name: field for field in fields(build.shape)}
    for setting in settings:
        if setting not in known:
            raise UserError(unknown_name(f"setting of encoder architecture '{kind}'", setting, known))
    missing = [
        field.name
        for field in known.values()
        if field.name not in settings and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise UserError(f"encoder architecture '{kind}' lacks {', '.join(missing)}")
    return build(build.shape(**settings), architecture)


def save_encoder(encoder: VisionEncoder, directory: Path) -> None:
    """Write config.json and model.safetensors into `directory`, which must exist."""
    config = json.dumps({"architecture": encoder.architecture}, indent=2, sort_keys=True)
    (directory / CONFIG).write_text(config + "\n")
    weights = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    save_file(weights, directory / WEIGHTS)


def load_encoder(directory: Path) -> VisionEncoder:
    """Read what `save_encoder` wrote, in evaluation mode, on the CPU.

    Raises:
        UserError: if the directory holds no encoder.
    """
    if not (directory / CONFIG).is_file():
        raise UserError(f"{directory} holds no encoder: {CONFIG} is missing")
    encoder = build_encoder(json.loads((directory / CONFIG).read_text())["architecture"])
    encoder.load_state_dict(load_file(directory / WEIGHTS))
    return encoder.eval()
