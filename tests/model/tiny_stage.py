"""A stage that tunes the tiny multimodal LLM, so that it can be run by several processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import save_file
from tiny_multimodal import DamagedCorpus, NoiseCorpus

from cambrian import precision
from cambrian.model.assembly import assemble, save_trained
from cambrian.model.freezing import freeze
from cambrian.model.language import decoder_layers
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.placement import bring
from cambrian.model.task import MultimodalTask
from cambrian.stages.base import Artifact, StageContext, StageKind
from cambrian.stages.device import training_conditions
from cambrian.training import Conditions, Schedule, _Loop, fit
from cambrian.workers import current_workers

KIND = StageKind(name="tiny", version=1, function="tiny_stage:run", parallel=True)
CORPUS = NoiseCorpus(12)
BATCHES = (
    (0, 1, 3, 2, 5),  # of two workers the second sees text alone
    (2, 5, 8, 11),  # nobody sees an image
    (4, 7),  # nothing is left for the second
    (11, 8, 5, 0, 6),
    (9, 2, 10, 1, 3),
)
RATES = {"connector": 0.01, "sva": 0.003, "llm": 0.002, "vision": 0.001}


class Batches:
    """Batches that are hard to share."""

    size = len(CORPUS)

    def indices(self, step: int) -> list[int]:
        return list(BATCHES[step])


def run(recipe: Mapping[str, Any], inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Train what `stage` names from the parts in the folder `parts`; publish what has trained."""
    kind = torch.bfloat16 if recipe.get("bfloat16") else torch.float32
    with patch.object(precision, "compute_type", lambda device: kind):
        return train(recipe, context)


def train(recipe: Mapping[str, Any], context: StageContext) -> dict[str, Any]:
    parts = Path(recipe["parts"])
    model = assemble(
        encoder_dirs=[parts / name for name in recipe.get("encoders", ("vit", "convnet"))],
        language_dir=parts / recipe.get("language", "language"),
        connector_recipe=recipe["connector"],
        template="lab",
        seed=0,
    )
    freeze(model, stage=recipe["stage"], vision="unfrozen")
    conditions = bring(model, training_conditions(context), shard=context.runtime.shard)
    corpus = DamagedCorpus(12) if recipe.get("damaged") else CORPUS
    task = MultimodalTask(model, corpus, Batches(), rates=RATES, weight_decay=0.1)  # type: ignore[arg-type]
    if recipe.get("recompute"):
        assert task.recompute_activations()
    schedule = Schedule(
        steps=len(BATCHES), batch_size=5, warmup_fraction=0.0, clip=1.0, betas=(0.9, 0.98), seed=0
    )
    conditions = disturb(model, task, schedule, conditions, recipe)
    result = fit(task, schedule, conditions)
    trained = {key: value.contiguous() for key, value in model.named_parameters() if value.requires_grad}
    save_file(trained, context.payload / "model.safetensors")
    save_trained(model, context.payload / "published")
    return {"losses": list(result.losses), "left_out": [one.index for one in result.left_out]}


def disturb(
    model: MultimodalLLM,
    task: MultimodalTask,
    schedule: Schedule,
    conditions: Conditions,
    recipe: Mapping[str, Any],
) -> Conditions:
    """Leave after so many steps, run out of memory inside a layer, or write anew what a checkpoint gave."""
    workers = current_workers(conditions.device)
    if "leaves_after" in recipe:
        told = iter(range(len(BATCHES)))
        return replace(conditions, stopping=lambda: next(told) + 1 >= recipe["leaves_after"])
    if recipe.get("short") == workers.rank:

        def fail(*_: object) -> None:
            raise torch.OutOfMemoryError("no room")

        decoder_layers(model.llm)[1].register_forward_pre_hook(fail)
    if "copies_to" in recipe:
        loop = _Loop(task, schedule, conditions, workers)
        loop.resume()
        loop._conditions = replace(conditions, workdir=Path(recipe["copies_to"]))
        if loop.saves(True):
            loop.save()
    return conditions
