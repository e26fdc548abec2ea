"""Stage kinds with scores scripted by encoder and by the part of the data, which write down that they ran."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cambrian.stages.base import KINDS, Artifact, Recipe, StageContext, StageKind

FAKES = {name: StageKind(name=name, version=1, function="fake_ladder:run") for name in KINDS}


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Do what $LADDER says: `log` gets a line per stage, `scores` are by encoder and proxy, `fails` by word.

    Encoders hand on their name, training stages the names of all before them and their examples.
    """
    script = json.loads(os.environ["LADDER"])
    kind = "evaluate" if "benchmark" in recipe else "train"
    names = [
        artifact.path.joinpath("name").read_text()
        if artifact.path.joinpath("name").exists()
        else str(artifact.manifest["recipe"].get("name", ""))
        for role, artifact in inputs.items()
        if role.startswith("encoder.")
    ]
    encoder = "+".join(names) or str(recipe.get("name", "language"))
    data = recipe.get("data", {})
    steps = recipe.get("optimization", {}).get("steps", 0)
    what = data.get("kind") or ("evaluate" if kind == "evaluate" else f"pretrain {steps}")
    part = data.get("proxy", 1.0)
    if kind == "evaluate":
        part = float(inputs["model"].path.joinpath("part").read_text())
        what = f"evaluate {recipe['benchmark']['id']} {recipe['questions']}"
    connector = recipe.get("connector", {}).get("kind", "-")
    line = f"{what} {encoder} {connector} {part:g} {data.get('examples', 0)}"
    with Path(script["log"]).open("a") as log:
        log.write(f"{line}\n")
    if any(word in line for word in script.get("fails", ())):
        raise ValueError(f"no good: {line}")
    (context.payload / "name").write_text(encoder)
    (context.payload / "part").write_text(str(part))
    score = float(script.get("scores", {}).get(encoder, {}).get(f"{part:g}", 0.0))
    return {"score": score, "blind": 0.0, "chance": 0.0}
