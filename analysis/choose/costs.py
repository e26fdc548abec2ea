"""What a model costs: visual tokens, parameters, GPU-hours.

Of own models tokens and hours are those of their manifests; parameters, and all of a published or untried
model, come from the project's planning, which counts them from the sizes of the real models
(docs/cost_model.md); the lab's hours are what like stages took. This is the one place where analysis uses
planning; it imports no model code.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.config import read_study
from cambrian.errors import UserError
from cambrian.hardware import find_gpu
from cambrian.recipe import Recipe
from cambrian.stages.base import Artifact
from cambrian.sweep.cost import price
from cambrian.sweep.estimate import Rates
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.pricing import tune_work

HOUR = 3600.0
TRAINING = ("tune", "align")
"""Kinds of stages that train a model, the last one first."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What is known of one model's cost."""

    visual_tokens: int | None = None
    """Of one image, as the paper counts them: without the ends of rows."""
    parameters: int | None = None
    """Of encoders, connector and LLM; the lab's are not counted."""
    gpu_hours: float | None = None
    """To train it; in the lab, hours of one process."""


def planned_cost(command: str, gpu: str, rates: Rates | None = None) -> Cost | None:
    """Cost of the run that a `command` (python run.py ...) makes, all of its stages on GPUs of one type.

    In the lab hours are those of `rates`, if there are any. None if it cannot be planned: an encoder that is
    nowhere described, choices that do not go together.

    Raises:
        UserError: for an unknown type of GPU.
    """
    kind = find_gpu(gpu)
    try:
        (recipe,) = read_study(expand(shlex.split(command)[2:])).recipes
    except UserError:
        return None
    tokens = _tokens(recipe.connector_settings)
    lineage = Lineage()
    lineage.run(recipe)
    if recipe.scale.world:
        stages = [stage for stage in lineage.stages.values() if stage.kind in TRAINING]
        hours = sum(rates.seconds(stage) for stage in stages) / HOUR if rates else None
        return Cost(visual_tokens=tokens, gpu_hours=hours)
    hours = sum(price(work, kind, 1).gpu_hours for work in lineage.works.values())
    return Cost(visual_tokens=tokens, parameters=_parameters(recipe), gpu_hours=hours)


def measured_cost(store: Path, run: str) -> Cost:
    """Cost of the model `run` as the manifests of its training stages in `store` tell it."""
    stages = _training(store, run)
    if not stages:
        return Cost()
    settings = stages[0]["recipe"].get("connector", {})
    tokens = _tokens(settings) if "side" in settings else None
    return Cost(visual_tokens=tokens, gpu_hours=sum(_process_seconds(stage) for stage in stages) / HOUR)


def measured_rates(store: Path, runs: Sequence[str]) -> Rates:
    """How long the training stages of the models `runs` took, all of their processes together."""
    stages = {stage["digest"]: stage for run in runs for stage in _training(store, run)}
    return Rates.of(
        Artifact(
            digest=digest,
            path=store / stage["kind"] / digest,
            manifest={**stage, "provenance": {**stage["provenance"], "seconds": _process_seconds(stage)}},
        )
        for digest, stage in stages.items()
    )


def merged(measured: Cost, planned: Cost | None) -> Cost:
    """What was measured, and for the rest what is planned, if anything is."""
    if planned is None:
        return measured
    return Cost(
        visual_tokens=measured.visual_tokens or planned.visual_tokens,
        parameters=measured.parameters or planned.parameters,
        gpu_hours=measured.gpu_hours or planned.gpu_hours,
    )


def _tokens(settings: Mapping[str, Any]) -> int:
    return int(settings["side"]) ** 2


def _parameters(recipe: Recipe) -> int:
    work = tune_work(recipe)
    return sum(one.parameters for one in work.encoders) + work.connector.parameters + work.llm.parameters


def _training(store: Path, run: str) -> list[dict[str, Any]]:
    """Manifests of the stages that trained the model `run`, as far as they are there, the last one first."""
    tune = _manifest(store, "tune", run)
    align = _manifest(store, "align", str(tune["inputs"].get("align", ""))) if tune else None
    return [stage for stage in (tune, align) if stage is not None]


def _process_seconds(stage: Mapping[str, Any]) -> float:
    return stage["provenance"]["seconds"] * stage["provenance"].get("workers", 1)


def _manifest(store: Path, kind: str, digest: str) -> dict[str, Any] | None:
    path = store / kind / digest / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")) if digest and path.is_file() else None
