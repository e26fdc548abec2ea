"""Stages that do next to nothing, for tests of the store, the plan and the production of stages."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.runtime import Runtime
from cambrian.stages.base import KINDS, Artifact, Recipe, Stage, StageContext, StageKind
from cambrian.sweep.produce import produce
from cambrian.sweep.store import Store

TOYS = tuple(
    StageKind(name=name, version=1, function=f"toy_stages:{function}")
    for name, function in (("toy", "run"), ("steps", "run_steps"))
)


@dataclass
class NullTracker:
    closed: bool = False
    failures: list[str] = field(default_factory=list)

    def log(self, metrics: Mapping[str, float], *, step: int) -> None: ...

    def summarize(self, metrics: Mapping[str, object]) -> None: ...

    def fail(self, reason: str, trace: str) -> None:
        self.failures.append(reason)

    def close(self) -> None:
        self.closed = True


def register() -> None:
    """Add the toy kinds, in a process of its own; tests in this process use a fixture instead."""
    KINDS.update({kind.name: kind for kind in TOYS})


def toy(name: str, *, inputs: Mapping[str, str] | None = None, **recipe: Any) -> Stage:
    return Stage(kind="toy", recipe={"name": name, **recipe}, inputs=inputs or {}, label=f"toy {name}")


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Write what it was given; `log` counts executions, one line each."""
    if "log" in recipe:
        with Path(recipe["log"]).open("a") as file:
            file.write(f"{recipe['name']} {os.getpid()}\n")
    time.sleep(recipe.get("seconds", 0.0))
    if recipe.get("fails"):
        raise RuntimeError("it fails")
    text = "+".join([*(a.path.joinpath("text").read_text() for a in inputs.values()), recipe["name"]])
    (context.payload / "text").write_text(text)
    (context.payload / "deep").mkdir()
    (context.payload / "deep" / "bytes").write_bytes(bytes(range(256)))
    context.progress(1, 1)
    score = float(recipe.get("score", "1.5"))
    return {"score": score, "nested": {"values": [score]}}


def run_steps(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Train for `steps`, a checkpoint and a line of the log each, from where an earlier attempt stopped."""
    checkpoint = context.workdir / "step"
    first = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for step in range(first, recipe["steps"]):
        with Path(recipe["log"]).open("a") as file:
            file.write(f"{step}\n")
        draft = checkpoint.with_suffix(".draft")
        draft.write_text(str(step + 1))
        draft.replace(checkpoint)
        time.sleep(recipe["seconds"])
    (context.payload / "text").write_text("done")
    return {"first": first}


def make(stage: Stage, store: Store) -> Artifact:
    return produce(stage, store, Runtime(store=store.root), lambda _: NullTracker())


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
