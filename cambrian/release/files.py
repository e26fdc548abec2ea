"""Reading and writing the files of a model in Hugging Face's manner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from cambrian.errors import UserError

INDEX = "model.safetensors.index.json"


def read_weights(directory: Path) -> dict[str, Tensor]:
    """Give all tensors of the *.safetensors of `directory` by name; they are read when they are used.

    Raises:
        UserError: if there are none, or a file is missing or damaged.
    """
    paths = sorted(directory.glob("*.safetensors"))
    index = directory / INDEX
    named = set(read_json(index)["weight_map"].values()) if index.is_file() else set()
    absent = sorted(named - {path.name for path in paths})
    if absent or not paths:
        what = ", ".join(absent) or "*.safetensors (other formats are not read)"
        raise UserError(f"{directory} lacks weights: {what}; copy or fetch the model again")
    weights: dict[str, Tensor] = {}
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                weights |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} cannot be read: {error}; copy or fetch the model again") from error
    return weights


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: if the file holds none.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; copy or fetch the model again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no JSON object; copy or fetch the model again")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, keys in order."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")
