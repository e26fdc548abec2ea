"""The paper's catalog of vision backbones, by the names that results use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pandas as pd

from analysis.published import NAMES, PAPER

CONVNET = "ConvNeXt"
"""How the architectures of convolutional encoders begin."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One vision encoder of the catalog."""

    name: str
    supervision: str
    """language, self or other."""
    family: str
    """Model and architecture without the resolution, in which alone two of a family differ."""
    is_convnet: bool
    resolution: int
    """Pixels along a side."""
    visual_tokens: int
    """That it gives the LLM when it is the only encoder."""


@cache
def backbones() -> dict[str, Backbone]:
    """Name -> backbone, of all 23."""
    types = {"model": "str", "architecture": "str", "resolution": "int64", "visual_tokens": "int64"}
    table = pd.read_csv(PAPER / "encoders.csv", dtype=types)
    found = {}
    for row in table.to_dict(orient="records"):
        model, architecture = str(row["model"]), str(row["architecture"])
        name = NAMES[f"{model} {architecture}"]
        found[name] = Backbone(
            name=name,
            supervision=str(row["supervision"]),
            family=f"{model} {architecture.partition('@')[0]}",
            is_convnet=architecture.startswith(CONVNET),
            resolution=int(row["resolution"]),
            visual_tokens=int(row["visual_tokens"]),
        )
    return found
