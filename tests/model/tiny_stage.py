"""A stage that tunes the tiny multimodal LLM, so that it can be run by several processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_model
from tiny_multimodal import DamagedCorpus, NoiseCorpus

from cambrian.model.assembly import assemble
from cambrian.model.freezing import freeze
from cambrian.model.task import MultimodalTask
from cambrian.stages.base import Artifact, StageContext, StageKind
from cambrian.stages.device import training_conditions
from cambrian.training import Schedule, fit

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
    """Tune everything from the parts in the folder `parts`; publish all weights."""
    parts = Path(recipe["parts"])
    model = assemble(
        encoder_dirs=[parts / "vit", parts / "convnet"],
        language_dir=parts / "language",
        connector_recipe=recipe["connector"],
        template="lab",
        seed=0,
    )
    freeze(model, stage=recipe["stage"], vision="unfrozen")
    conditions = training_conditions(context)
    model.to(conditions.device)
    corpus = DamagedCorpus(12) if recipe.get("damaged") else CORPUS
    task = MultimodalTask(model, corpus, Batches(), rates=RATES, weight_decay=0.1)  # type: ignore[arg-type]
    if recipe.get("recompute"):
        assert task.recompute_activations()
    schedule = Schedule(
        steps=len(BATCHES), batch_size=5, warmup_fraction=0.0, clip=1.0, betas=(0.9, 0.98), seed=0
    )
    result = fit(task, schedule, conditions)
    save_model(model.cpu(), context.payload / "model.safetensors")
    return {"losses": list(result.losses), "left_out": [one.index for one in result.left_out]}
