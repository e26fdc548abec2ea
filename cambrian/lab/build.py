"""Build the encoders and the LLM that the project ships: `python -m cambrian.lab.build [NAME ...]`.

They are ordinary stages; what is shipped is their entries of a store, so that a first run finds them done.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cambrian.config import read_study
from cambrian.errors import UserError, leaving_on_user_error, unknown_name
from cambrian.runtime import SHIPPED, Runtime
from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.composition import axes
from cambrian.sweep.files import MANIFEST
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import encoder_stage, language_stage, world_of
from cambrian.sweep.produce import produce
from cambrian.sweep.store import Store
from cambrian.tracking.trackers import make_tracker


def shipped_stages() -> dict[str, Stage]:
    """The stages with default settings that are shipped: every encoder, and the LLM under its name."""
    every = ",".join(axes()["encoder"])
    stages: dict[str, Stage] = {}
    for recipe in read_study(expand([f"encoder={every}", "unavailable=skip"])).recipes:
        world = world_of(recipe.scale)
        stages[recipe.encoders[0].name] = encoder_stage(recipe.encoders[0], world)
        stages[recipe.llm.model] = language_stage(recipe.llm, world)
    return stages


def build(stage: Stage, scratch: Path) -> Artifact:
    """Run one stage on one thread in a store of its own, whatever is shipped already."""
    runtime = Runtime(store=scratch, threads=1, trackers=("jsonl",))
    return produce(stage, Store(scratch), runtime, lambda stage: make_tracker(stage, runtime))


def ship(artifact: Artifact, destination: Path) -> Path:
    """Copy a finished entry into `destination`, in place of those of the same kind and name before it."""
    kind, label = artifact.manifest["kind"], artifact.manifest["label"]
    for old in (destination / kind).glob(f"*/{MANIFEST}"):
        if json.loads(old.read_text())["label"] == label:
            shutil.rmtree(old.parent)
    return Path(shutil.copytree(artifact.path, destination / kind / artifact.digest))


def main(arguments: Sequence[str]) -> None:
    """Build the named parts, or those that are missing, and put them among the shipped ones."""
    stages = shipped_stages()
    parser = argparse.ArgumentParser(prog="python -m cambrian.lab.build", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(stages)}; none: all that are missing")
    names = parser.parse_args(arguments).names
    unknown = [unknown_name("part", name, stages) for name in names if name not in stages]
    if unknown:
        raise UserError("\n".join(unknown))
    store = Store(SHIPPED)
    for name in names or [name for name, stage in stages.items() if not store.find(stage.kind, stage.digest)]:
        with tempfile.TemporaryDirectory(prefix="cambrian-build-") as scratch:
            place = ship(build(stages[name], Path(scratch)), SHIPPED)
        print(f"{name}: {place}")


if __name__ == "__main__":
    with leaving_on_user_error():
        main(sys.argv[1:])
