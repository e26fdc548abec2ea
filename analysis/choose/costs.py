"""What a model costs: visual tokens, parameters, GPU-hours.

Of own models tokens and hours are those of their manifests; parameters, and all of a published model, come
from the project's planning, which counts them from the sizes of the real models (docs/cost_model.md). This is
the one place where analysis uses planning; it imports no model code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.config import read_study
from cambrian.errors import UserError
from cambrian.hardware import find_gpu
from cambrian.recipe import Recipe
from cambrian.sweep.cost import price
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.pricing import tune_work

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What is known of one model's cost."""

    visual_tokens: int | None = None
    """Of one image, as the paper counts them: without the ends of rows."""
    parameters: int | None = None
    """Of encoders, connector and LLM; the lab's are not counted."""
    gpu_hours: float | None = None
    """To train it; in the lab, hours of one process."""


def planned_cost(words: Sequence[str], gpu: str) -> Cost:
    """Cost of the run that `words` of a command line describe, all of its stages on GPUs of one type.

    What cannot be planned, such as an encoder that is nowhere described, has no known cost.

    Raises:
        UserError: for an unknown type of GPU.
    """
    kind = find_gpu(gpu)
    try:
        (recipe,) = read_study(expand(list(words))).recipes
    except UserError:
        return Cost()
    tokens = _tokens(recipe.connector_settings)
    if recipe.scale.world:
        return Cost(visual_tokens=tokens)
    lineage = Lineage()
    lineage.run(recipe)
    hours = sum(price(work, kind, 1).gpu_hours for work in lineage.works.values())
    return Cost(visual_tokens=tokens, parameters=_parameters(recipe), gpu_hours=hours)


def measured_cost(store: Path, run: str) -> Cost:
    """Cost of the model `run` as the manifests of its training stages in `store` tell it."""
    tune = _manifest(store, "tune", run)
    if tune is None:
        return Cost()
    align = _manifest(store, "align", str(tune["inputs"].get("align", "")))
    stages = [stage for stage in (tune, align) if stage is not None]
    seconds = [stage["provenance"]["seconds"] * stage["provenance"].get("workers", 1) for stage in stages]
    settings = tune["recipe"].get("connector", {})
    tokens = _tokens(settings) if "side" in settings else None
    return Cost(visual_tokens=tokens, gpu_hours=sum(seconds) / HOUR)


def merged(measured: Cost, planned: Cost) -> Cost:
    """What was measured, and for the rest what is planned."""
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


def _manifest(store: Path, kind: str, digest: str) -> dict[str, Any] | None:
    path = store / kind / digest / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")) if digest and path.is_file() else None
