"""Segmentation: say of every small square of the image what it is part of, as a mask-supervised encoder does.

Shape legend: B images, g grid side, s squares along one edge of a patch, K classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.encoders.base import VisionEncoder
from cambrian.lab.objectives.base import Objective, Tensors
from cambrian.lab.render import render_batch
from cambrian.lab.world import LETTERS, SHAPES, SIDE, Scene, symbolic_cells

BACKGROUND = 0
CLASSES = {name: number for number, name in enumerate((*SHAPES, *LETTERS, "bar"), start=1)}
LEAST_CHANGE = 24
"""Difference of a square from the empty scene, summed over the colours, that makes it part of something."""


class Segmentation(Objective):
    """A linear layer on each feature names the classes of the squares of its patch."""

    weights: Tensor

    def __init__(self, encoder: VisionEncoder, *, squares: int, foreground_weight: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.squares = squares
        self.read = nn.Linear(encoder.width, squares**2 * (len(CLASSES) + 1))
        weights = torch.full((len(CLASSES) + 1,), foreground_weight)
        weights[BACKGROUND] = 1.0
        self.register_buffer("weights", weights)

    def trained(self) -> VisionEncoder:
        """Give the encoder without the reading layer."""
        return self.encoder

    def prepare(self, scenes: Sequence[Scene], images: Tensor, rng: Random) -> Tensors:
        """Derive the classes (B, g * s, g * s) from the scenes."""
        side = self.encoder.grid * self.squares
        return {"images": images, "classes": torch.from_numpy(true_classes(scenes, images.numpy(), side))}

    def loss(self, batch: Tensors) -> Tensor:
        """Mean cross-entropy over the squares, those of things weighing more than those of the background."""
        return F.cross_entropy(self.logits(batch["images"]), batch["classes"], weight=self.weights)

    def logits(self, images: Tensor) -> Tensor:
        """Scores of the classes (B, K, g * s, g * s)."""
        scores = self.read(self.encoder(images))  # (B, g, g, s * s * K), classes outermost
        return F.pixel_shuffle(scores.permute(0, 3, 1, 2), self.squares)

    @torch.no_grad()
    def quality(self, batch: Tensors) -> dict[str, float]:
        """Intersection over union of each class, averaged over the classes that occur."""
        guess, true = self.logits(batch["images"]).argmax(dim=1), batch["classes"]
        overlaps = [
            (((guess == k) & (true == k)).sum() / ((guess == k) | (true == k)).sum()).item()
            for k in true.unique().tolist()
        ]
        return {"mean_iou": float(np.mean(overlaps))}


def true_classes(scenes: Sequence[Scene], images: np.ndarray, side: int) -> np.ndarray:
    """Classes of the squares of images (B, R, R, 3) as int64 (B, side, side).

    A square belongs to its cell's thing, letter or bar if it differs from the same scene drawn empty.
    """
    empty = render_batch([_emptied(scene) for scene in scenes], images.shape[1])
    change = np.abs(images.astype(np.int16) - empty).sum(axis=3)
    pixels = images.shape[1] // side
    change = change.reshape(len(scenes), side, pixels, side, pixels).mean(axis=(2, 4))
    names = np.array([[_class_of(words) for words in symbolic_cells(scene)] for scene in scenes])
    per_cell = side // SIDE
    classes = names.reshape(-1, SIDE, SIDE).repeat(per_cell, axis=1).repeat(per_cell, axis=2)
    return np.where(change > LEAST_CHANGE, classes, BACKGROUND).astype(np.int64)


def _emptied(scene: Scene) -> Scene:
    return dataclasses.replace(scene, things=(), letters="", shifts=(), bars=())


def _class_of(words: Sequence[str]) -> int:
    return next((CLASSES[word] for word in words if word in CLASSES), BACKGROUND)
