"""Pre-training of the lab's encoders: fresh scenes at every step, an objective, the common loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import build_encoder, save_encoder
from cambrian.lab.objectives.base import Objective, Tensors
from cambrian.lab.objectives.table import NONE, build_objective
from cambrian.lab.probe import probe
from cambrian.lab.render import render_batch
from cambrian.lab.world import WORLD_VERSION, make_scene
from cambrian.task import Amount, Prepared
from cambrian.training import Conditions, ParameterGroup, fit, read_schedule, split_decay

SPLIT = "pretrain"
QUALITY_SCENES = 256


@dataclass(frozen=True, kw_only=True)
class SceneBatch:
    """The scenes of one step."""

    ids: tuple[str, ...]
    tensors: Tensors


class Pretraining:
    """The training task of one encoder."""

    def __init__(
        self,
        objective: Objective,
        *,
        resolution: int,
        batch_size: int,
        steps: int,
        lr: float,
        weight_decay: float,
        world_seed: int,
        seed: int,
        device: str,
    ) -> None:
        self._objective = objective
        self._resolution = resolution
        self._batch_size = batch_size
        self._steps = steps
        self._lr = lr
        self._weight_decay = weight_decay
        self._world_seed = world_seed
        self._seed = seed
        self._device = device

    def parameter_groups(self) -> list[ParameterGroup]:
        """All that trains in the encoder and around it, vectors without decay."""
        parameters = self._objective.parameters()
        return split_decay("encoder", parameters, lr=self._lr, weight_decay=self._weight_decay)

    def state(self) -> dict[str, nn.Module]:
        """The objective, with the encoder and what is thrown away after."""
        return {"objective": self._objective}

    def batch(self, step: int) -> SceneBatch:
        """Draw the scenes of `step`, which no other step sees."""
        return self.draw(range(step * self._batch_size, (step + 1) * self._batch_size))

    def draw(self, indices: range) -> SceneBatch:
        """Draw and prepare the scenes with these indices."""
        scenes = [make_scene(self._world_seed, SPLIT, index) for index in indices]
        images = torch.from_numpy(render_batch(scenes, self._resolution))
        rng = Random(f"pretraining/{self._seed}/{indices.start}")  # noqa: S311 - no secret is made here
        tensors = self._objective.prepare(scenes, images, rng)
        return SceneBatch(
            ids=tuple(f"{SPLIT}/{index}" for index in indices),
            tensors={name: tensor.to(self._device) for name, tensor in tensors.items()},
        )

    def split(self, batch: SceneBatch, micro_batch: int) -> list[SceneBatch]:
        """Keep the batch whole: contrast and balancing compare the images of a batch with each other."""
        return [batch]

    def prepare(self, part: SceneBatch, /) -> Prepared:
        """Nothing is left to do."""
        return Prepared(content=part, amount=Amount(examples=len(part.ids)))

    def loss(self, content: SceneBatch, /) -> tuple[Tensor, Tensor]:
        """Loss summed over the images, and their number."""
        count = torch.tensor(float(len(content.ids)), device=self._device)
        return self._objective.loss(content.tensors) * count, count

    def ids(self, batch: SceneBatch) -> list[str]:
        """Names of the scenes."""
        return list(batch.ids)

    def after_step(self, step: int) -> None:
        """Let the objective follow, such as by moving a teacher."""
        self._objective.after_step((step + 1) / self._steps)

    def recompute_activations(self) -> bool:
        """Nothing to save: an encoder is small."""
        return False

    def quality(self) -> dict[str, float]:
        """The objective's own measure on scenes after those of the training."""
        after = self._steps * self._batch_size
        self._objective.eval()
        return self._objective.quality(self.draw(range(after, after + QUALITY_SCENES)).tensors)


def train(recipe: Mapping[str, Any], payload: Path, conditions: Conditions) -> dict[str, Any]:
    """Pre-train the encoder of `recipe`, write it into `payload`, and give its metrics.

    Args:
        recipe: name, architecture, objective, optimization, world and seed.
        payload: gets the encoder's files.
        conditions: where to train.

    Raises:
        UserError: for an architecture or objective that does not exist or is incomplete.
    """
    assert recipe["world"]["version"] == WORLD_VERSION, recipe["world"]
    torch.manual_seed(recipe["seed"])
    encoder = build_encoder(recipe["architecture"])
    metrics: dict[str, Any] = {}
    if recipe["objective"]["kind"] != NONE:
        encoder, metrics = _train(encoder, recipe, conditions)
    encoder = encoder.cpu().eval()
    save_encoder(encoder, payload)
    return metrics | {f"probe/{name}": value for name, value in probe(encoder).items()}


def _train(
    encoder: VisionEncoder, recipe: Mapping[str, Any], conditions: Conditions
) -> tuple[VisionEncoder, dict[str, Any]]:
    optimization = recipe["optimization"]
    objective = build_objective(encoder, recipe["objective"]).to(conditions.device)
    task = Pretraining(
        objective,
        resolution=encoder.resolution,
        batch_size=optimization["batch_size"],
        steps=optimization["steps"],
        lr=optimization["lr"],
        weight_decay=optimization["weight_decay"],
        world_seed=recipe["world"]["seed"],
        seed=recipe["seed"],
        device=conditions.device,
    )
    schedule = read_schedule(optimization, steps=optimization["steps"], seed=recipe["seed"])
    result = fit(task, schedule, replace(conditions, micro_batch=0))
    last = result.losses[-max(1, len(result.losses) // 20) :]
    metrics = {"loss": sum(last) / len(last), "images": optimization["steps"] * optimization["batch_size"]}
    return objective.trained(), metrics | task.quality()
