"""Which kept features belong to a training stage; planning asks it too, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cambrian.runtime import Runtime
from cambrian.stages.base import digest_of

OF_IMAGES = ("kind", "examples", "world", "content", "left_out", "source", "mixture")
"""What a recipe says of its data that decides which images there are."""


def features_key(encoder: str, data: Mapping[str, Any]) -> str:
    """Name what the encoder with the digest `encoder` makes of the images of `data`.

    The digest stands for weights, layer, grid and preprocessing.
    """
    return digest_of([encoder, {name: data[name] for name in OF_IMAGES if name in data}])


def features_folder(key: str, runtime: Runtime) -> Path | None:
    """Say where features are kept; None if they are not to be kept."""
    wanted = runtime.keep_features == "true" or key in runtime.features
    return runtime.cache / "features" / key if wanted else None
