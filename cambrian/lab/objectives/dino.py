"""Self-distillation without labels: of images (DINO) and of patches, some hidden (iBOT), as in DINOv2.

A student that sees one crop predicts what its own moving average, the teacher, makes of another crop.
Sources: Caron et al. 2021 (arXiv:2104.14294), Zhou et al. 2022 (arXiv:2111.07832), Oquab et al. 2023
(arXiv:2304.07193). Two things fit the method to small pictures that are mostly empty. Patches are compared
at the same point of two crops instead of at the same place of one, since from one crop a patch's answer can
be told by its position alone. And the points are drawn where there is contrast: most patches are bare ground.

Shape legend: B images, V = 2 B large crops, S small crops of an image, r side of a crop in pixels, N patches
of 8x8 pixels, Q points of an image, C encoder width, P prototypes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.encoders.base import VisionEncoder, normalize
from cambrian.encoders.layers import grid_positions
from cambrian.encoders.tiny import TinyViT
from cambrian.lab.objectives.base import Objective, Tensors, generator, spread
from cambrian.lab.world import Scene

VIEWS = 2
"""Large crops of an image; the teacher of each instructs the student of the other."""
BALANCING_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class DistillationSettings:
    """Settings of self-distillation."""

    prototypes: int
    momentum: float
    """Of the teacher at the start; it grows to 1 along a cosine."""
    masked: float
    """Part of the patches of a large crop hidden from the student."""
    large: int
    """Side of a large crop in pixels, at most the image's."""
    small: int
    """Side of a small crop in pixels."""
    small_crops: int
    points: int
    """Points of an image at which patches are compared."""
    teacher_temperature: float
    student_temperature: float
    jitter: float
    """Largest change of contrast, and of the brightness of each colour, where the full range is 2."""


class Head(nn.Module):
    """Scores features by their cosine with prototypes."""

    def __init__(self, width: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, 128), nn.GELU(), nn.Linear(128, 64))
        self.prototypes = nn.Parameter(F.normalize(torch.randn(prototypes, 64), dim=-1))

    def forward(self, features: Tensor) -> Tensor:
        """Cosines (..., P) of `features` (..., C)."""
        return F.normalize(self.mlp(features), dim=-1) @ F.normalize(self.prototypes, dim=-1).T


class Distiller(nn.Module):
    """An encoder with a head for images and one for patches: the student, and the teacher alike."""

    def __init__(self, encoder: TinyViT, prototypes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.image_head = Head(encoder.width, prototypes)
        self.patch_head = Head(encoder.width, prototypes)
        self.blank = nn.Parameter(torch.zeros(encoder.width))

    def forward(self, crops: Tensor, hidden: Tensor) -> Tensor:
        """Encode crops (V, 3, r, r) without the patches under the mask `hidden` (V, N): (V, N, C)."""
        encoder = self.encoder
        tokens = encoder.embed(crops.masked_fill(spread(hidden, encoder.stride), 0.0))
        blank = self.blank + grid_positions(crops.shape[-1] // encoder.stride, encoder.width).to(tokens)
        return encoder.encode(torch.where(hidden[:, :, None], blank, tokens))


class SelfDistillation(Objective):
    """A student that sees part of an image predicts what its moving average makes of another part."""

    def __init__(self, encoder: TinyViT, settings: DistillationSettings) -> None:
        super().__init__()
        self.settings = settings
        self.student = Distiller(encoder, settings.prototypes)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def prepare(self, scenes: Sequence[Scene], images: Tensor, rng: Random) -> Tensors:
        """Cut the crops: `large` (B, 2, 3, r, r), `small` (B, S, 3, r, r).

        Also chooses the patches to hide, `hidden` (B, 2, N), and where in each large crop the points lie,
        `places` (B, 2, Q, 2) as x, y in [-1, 1].
        """
        settings, draw = self.settings, generator(rng)
        room = images.shape[1] - settings.large
        corners = draw.integers(0, room + 1, size=(len(images), VIEWS, 2))  # x, y of the upper left pixel
        small_room = images.shape[1] - settings.small
        small_corners = draw.integers(0, small_room + 1, size=(len(images), settings.small_crops, 2))
        patches = (settings.large // self.student.encoder.stride) ** 2
        order = draw.random((len(images), VIEWS, patches)).argsort(axis=-1)
        points = choose_points(images.numpy(), corners, settings.large, settings.points, draw)
        places = (points[:, None] - corners[:, :, None]) / settings.large * 2 - 1
        pixels = normalize(images)
        return {
            "large": self._jitter(crop(pixels, corners, settings.large), draw),
            "small": self._jitter(crop(pixels, small_corners, settings.small), draw),
            "hidden": torch.from_numpy(order < round(settings.masked * patches)),
            "places": torch.from_numpy(places.astype(np.float32)),
        }

    def loss(self, batch: Tensors) -> Tensor:
        """Mean cross-entropy of the student's guesses about images plus that about points."""
        image_targets, point_targets = self._targets(batch)  # (B, 2, P), (B, 2, Q, P)
        student, count = self.student, len(batch["large"])
        features = student(batch["large"].flatten(0, 1), batch["hidden"].flatten(0, 1))
        small = batch["small"].flatten(0, 1)
        nothing = torch.zeros(len(small), (small.shape[-1] // student.encoder.stride) ** 2, dtype=torch.bool)
        small_features = student(small, nothing.to(small.device))
        guesses = self._guess(student.image_head(features.mean(dim=1))).unflatten(0, (count, VIEWS))
        small_guesses = self._guess(student.image_head(small_features.mean(dim=1)))
        at_points = student.patch_head(read_at(features, batch["places"].flatten(0, 1)))
        at_points = self._guess(at_points).unflatten(0, (count, VIEWS))  # (B, 2, Q, P)
        images = -(image_targets.flip(1) * guesses).sum(dim=-1)  # (B, 2)
        parts = -(image_targets.mean(1, keepdim=True) * small_guesses.unflatten(0, (count, -1))).sum(dim=-1)
        points = -(point_targets.flip(1) * at_points).sum(dim=-1)  # (B, 2, Q)
        return torch.cat([images, parts], dim=1).mean() + points.mean()

    @torch.no_grad()
    def quality(self, batch: Tensors) -> dict[str, float]:
        """Measure how well two crops of an image know each other, and how many prototypes are in use.

        `match` is the part of first crops whose nearest second crop in the batch, by the teacher's mean
        feature, is of the same image; `used` is the exponential of the entropy of the teacher's mean answer
        at points: 1 after a collapse, at most P.
        """
        _, targets = self._targets(batch)
        large, hidden = batch["large"].flatten(0, 1), batch["hidden"].flatten(0, 1)
        features = self.teacher(large, torch.zeros_like(hidden)).mean(dim=1)
        first, second = F.normalize(features, dim=-1).unflatten(0, (-1, VIEWS)).unbind(1)
        match = (first @ second.T).argmax(dim=1) == torch.arange(len(first), device=first.device)
        mean = targets.flatten(0, 2).mean(dim=0)
        entropy = -(mean * mean.clamp_min(1e-9).log()).sum()
        return {"match": match.float().mean().item(), "used": entropy.exp().item()}

    @torch.no_grad()
    def after_step(self, done: float) -> None:
        """Move the teacher towards the student."""
        pace = (1 - self.settings.momentum) * (math.cos(math.pi * done) + 1) / 2
        for average, current in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            average.lerp_(current, pace)

    def trained(self) -> VisionEncoder:
        """Give the teacher's encoder, which is better than the student's."""
        return self.teacher.encoder

    @torch.no_grad()
    def _targets(self, batch: Tensors) -> tuple[Tensor, Tensor]:
        """Teacher's answers for images (B, 2, P) and at points (B, 2, Q, P); nothing is hidden from it."""
        large, hidden = batch["large"].flatten(0, 1), batch["hidden"].flatten(0, 1)
        features = self.teacher(large, torch.zeros_like(hidden))
        scores = self.teacher.image_head(features.mean(dim=1))
        point_scores = self.teacher.patch_head(read_at(features, batch["places"].flatten(0, 1)))
        temperature = self.settings.teacher_temperature
        points = balance(point_scores.flatten(0, 1), temperature).unflatten(0, point_scores.shape[:2])
        images = balance(scores, temperature)
        return images.unflatten(0, (-1, VIEWS)), points.unflatten(0, (-1, VIEWS))

    def _guess(self, scores: Tensor) -> Tensor:
        return (scores / self.settings.student_temperature).log_softmax(dim=-1)

    def _jitter(self, crops: Tensor, draw: np.random.Generator) -> Tensor:
        """Change the light of crops (B, V, 3, r, r), each in its own way."""
        shape = (*crops.shape[:2], 4, 1, 1)
        light = draw.uniform(-self.settings.jitter, self.settings.jitter, size=shape).astype(np.float32)
        contrast, brightness = torch.from_numpy(light).split((1, 3), dim=2)
        return crops * (1 + contrast) + brightness


def balance(scores: Tensor, temperature: float) -> Tensor:
    """Turn scores (n, P) into answers, rows that sum to 1, in which all prototypes are used about equally.

    Three rounds of Sinkhorn and Knopp's normalisation, in place of a moving centre as DINOv2 has it: without
    either, all answers would become the same.
    """
    answers = ((scores - scores.max()) / temperature).exp()
    for _ in range(BALANCING_ROUNDS):
        answers = answers / answers.sum(dim=0, keepdim=True)
        answers = answers / answers.sum(dim=1, keepdim=True)
    return answers


def crop(pixels: Tensor, corners: np.ndarray, side: int) -> Tensor:
    """Cut squares (B, V, 3, side, side) out of `pixels` (B, 3, R, R) at `corners` (B, V, 2) in x, y."""
    rows = [
        torch.stack([image[:, y : y + side, x : x + side] for x, y in places.tolist()])
        for image, places in zip(pixels, corners, strict=True)
    ]
    return torch.stack(rows)


def choose_points(
    images: np.ndarray, corners: np.ndarray, side: int, count: int, draw: np.random.Generator
) -> np.ndarray:
    """Draw points (B, count, 2), x and y in pixels, inside all crops of an image and where contrast is.

    `images` (B, R, R, 3) is cut into patches of 8 pixels; a patch is drawn in proportion to the standard
    deviation of its pixels plus one grey level, and the point evenly within 4 pixels of its middle.
    """
    patches = images.shape[1] // 8
    tiles = images.reshape(len(images), patches, 8, patches, 8, 3).astype(np.float32)
    contrast = tiles.std(axis=(2, 4)).mean(axis=3) + 1.0  # (B, patches, patches)
    middles = np.arange(patches) * 8 + 4
    low, high = corners.max(axis=1), corners.min(axis=1) + side  # (B, 2): what all crops share
    inside = (middles >= low[:, :, None] + 4) & (middles <= high[:, :, None] - 4)  # (B, 2, patches), x then y
    weights = (contrast * inside[:, 1, :, None] * inside[:, 0, None, :]).reshape(len(images), -1)
    edges = weights.cumsum(axis=1)
    chosen = (draw.random((len(images), count, 1)) * edges[:, None, -1:] > edges[:, None, :]).sum(axis=2)
    rows, columns = np.divmod(chosen, patches)
    return np.stack([middles[columns], middles[rows]], axis=-1) + draw.uniform(-4, 4, (*chosen.shape, 2))


def read_at(features: Tensor, places: Tensor) -> Tensor:
    """Interpolate features (V, N, C) at `places` (V, Q, 2), x and y in [-1, 1]: (V, Q, C)."""
    side = math.isqrt(features.shape[1])
    grid = features.transpose(1, 2).unflatten(2, (side, side))  # (V, C, side, side)
    found = F.grid_sample(grid, places[:, :, None], padding_mode="border", align_corners=False)
    return found[..., 0].transpose(1, 2)
