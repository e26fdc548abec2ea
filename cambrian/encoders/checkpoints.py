"""Reading published checkpoints: safetensors, or pickles of which nothing but tensors is read."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from timm.models import load_state_dict

from cambrian.encoders.trunk import check_keys
from cambrian.errors import UserError, unknown_name

State = Mapping[str, Any]
"""Name -> tensor; timm's converters take nested ones as well."""

PREFERRED = (
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
)
"""File names of weights in a directory, in the order in which they are looked for."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")

FORMATS: Mapping[str, Mapping[str, str | None]] = {
    "moco_v3": {
        # MoCo v3's trained network is `base_encoder`; its head is the projection that the loss compares.
        "base_encoder.head.": None,
        "base_encoder.": "",
        "momentum_encoder.": None,
        "predictor.": None,
    }
}
"""Formats that timm does not know: prefix in the file -> prefix in timm's network, None for what it lacks.

The first prefix that fits counts. The `module.` of parallel training before it is cut off beforehand."""


def find_weights(source: Path) -> Path:
    """Find the file of weights: `source` itself, or the one in that directory.

    Raises:
        UserError: if there is none, or several and none has a usual name.
    """
    if source.is_file():
        return source
    found = [source / name for name in PREFERRED if (source / name).is_file()]
    others = sorted(path for path in source.glob("*") if path.suffix in SUFFIXES)
    if not found and len(others) != 1:
        names = ", ".join(path.name for path in others) or "none"
        raise UserError(f"{source} holds no single file of weights (found: {names}); name the file itself")
    return (found or others)[0]


def read_state(path: Path) -> State:
    """Read the tensors of a checkpoint; of a training checkpoint the averaged weights, else the weights.

    Raises:
        UserError: if the file is of no known type, damaged, or holds more than tensors and plain values.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path.name} is no file of weights; its name must end with {', '.join(SUFFIXES)}")
    try:
        return load_state_dict(str(path), weights_only=True)
    except (pickle.UnpicklingError, EOFError, SafetensorError, RuntimeError) as error:
        if pickle.UnpicklingError not in (type(error), type(error.__cause__)):
            raise UserError(f"{path} cannot be read: {error}") from error
        raise UserError(
            f"{path} is damaged or holds more than tensors, which could run any code when it is read; "
            "save the weights alone, best as safetensors"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a checkpoint.

    Raises:
        UserError: if it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def rename(state: State, name: str) -> State:
    """Give the weights of a foreign format timm's names.

    Raises:
        UserError: for an unknown format, and for weights that the format does not have.
    """
    if name not in FORMATS:
        raise UserError(unknown_name("format of checkpoints", name, FORMATS))
    renamed: dict[str, Any] = {}
    foreign: list[str] = []
    for key, value in state.items():
        prefix = next((prefix for prefix in FORMATS[name] if key.startswith(prefix)), None)
        if prefix is None:
            foreign.append(key)
        elif (new := FORMATS[name][prefix]) is not None:
            renamed[new + key.removeprefix(prefix)] = value
    check_keys(f"format {name}", missing=[], unexpected=foreign)
    return renamed
