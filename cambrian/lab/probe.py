"""Linear probe: what one matrix can read from the frozen features of a cell.

For each kind of word (colour, shape, ...) a ridge classifier is fitted in closed form on the features of the
cells that hold such a word, and tested on other scenes. A pre-trained encoder is worth its training if it
beats both controls, an untrained network and raw pixels, on what its objective asks for.

    python -m cambrian.lab.probe ENCODER_DIRECTORY...
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import load_encoder
from cambrian.errors import UserError
from cambrian.lab.render import render_batch
from cambrian.lab.world import COLOURS, DEPTHS, LETTERS, NUMBERS, SHAPES, SIDE, make_scene, symbolic_cells

GROUPS: dict[str, tuple[str, ...]] = {
    "colour": COLOURS,
    "shape": SHAPES,
    "depth": DEPTHS,
    "letter": LETTERS,
    "value": NUMBERS[1:9],
}
"""Kinds of words a cell may hold, each with the answers to choose from."""
TRAIN_SCENES = 3000
TEST_SCENES = 1000
BATCH = 128
RIDGE = 1e-3
"""Penalty relative to the number of cells; features are standardised first."""
WORLD_SEED = 77_003
"""Of the probe's scenes, which no training uses."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Cells that hold anything, from some scenes."""

    features: Tensor
    """(cells, C)"""
    words: list[tuple[str, ...]]
    """What each cell holds."""


def probe(encoder: VisionEncoder, *, train: int = TRAIN_SCENES, test: int = TEST_SCENES) -> dict[str, float]:
    """Accuracy in [0, 1] on each kind of word, for an encoder on the CPU; takes seconds."""
    fitted, held_out = cells_of(encoder, range(train)), cells_of(encoder, range(train, train + test))
    mean, deviation = fitted.features.mean(dim=0), fitted.features.std(dim=0) + 1e-4
    fitted, held_out = (
        Cells(features=(cells.features - mean) / deviation, words=cells.words) for cells in (fitted, held_out)
    )
    return {name: _accuracy(fitted, held_out, answers) for name, answers in GROUPS.items()}


@torch.no_grad()
def cells_of(encoder: VisionEncoder, indices: range) -> Cells:
    """Mean feature of each full cell; cells are the squares that become the 4x4 visual tokens."""
    features: list[Tensor] = []
    words: list[tuple[str, ...]] = []
    for start in range(indices.start, indices.stop, BATCH):
        chosen = range(start, min(start + BATCH, indices.stop))
        scenes = [make_scene(WORLD_SEED, "pretrain", index) for index in chosen]
        grids = encoder(torch.from_numpy(render_batch(scenes, encoder.resolution)))  # (B, g, g, C)
        pooled = F.adaptive_avg_pool2d(grids.permute(0, 3, 1, 2), SIDE)  # (B, C, 4, 4)
        held = [cell for scene in scenes for cell in symbolic_cells(scene)]
        full = [position for position, cell in enumerate(held) if cell]
        features.append(pooled.permute(0, 2, 3, 1).flatten(0, 2)[full])
        words.extend(held[position] for position in full)
    return Cells(features=torch.cat(features), words=words)


def _accuracy(fitted: Cells, held_out: Cells, answers: Sequence[str]) -> float:
    inputs, labels = _examples(fitted, answers)
    weights = _ridge(inputs, F.one_hot(labels, len(answers)).double())
    inputs, labels = _examples(held_out, answers)
    return ((inputs @ weights).argmax(dim=1) == labels).double().mean().item()


def _examples(cells: Cells, answers: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Features with a constant (n, C + 1) and answers (n,) of the cells that hold one of `answers`."""
    number = {answer: position for position, answer in enumerate(answers)}
    found = [(row, number[word]) for row, held in enumerate(cells.words) for word in held if word in number]
    rows, labels = (torch.tensor(column) for column in zip(*found, strict=True))
    return F.pad(cells.features[rows].double(), (0, 1), value=1.0), labels


def _ridge(inputs: Tensor, targets: Tensor) -> Tensor:
    """Weights (C + 1, classes) of the least squares fit with an L2 penalty."""
    gram = inputs.T @ inputs
    gram.diagonal().add_(RIDGE * len(inputs))
    return torch.linalg.solve(gram, inputs.T @ targets)


def table(rows: dict[str, dict[str, float]]) -> str:
    """Lay out the accuracies of several encoders in percent, with chance below."""
    chance = {name: 1 / len(answers) for name, answers in GROUPS.items()}
    lines = ["".join([f"{'encoder':24}", *(f"{name:>8}" for name in GROUPS)])]
    for label, accuracies in [*rows.items(), ("chance", chance)]:
        lines.append("".join([f"{label:24}", *(f"{100 * accuracies[name]:8.1f}" for name in GROUPS)]))
    return "\n".join(lines)


def main(directories: Sequence[str]) -> None:
    """Print the table for encoders on disk.

    Raises:
        UserError: without directories, or for one that holds no encoder.
    """
    if not directories:
        raise UserError("name at least one directory with an encoder: python -m cambrian.lab.probe DIR...")
    print(table({Path(name).name: probe(load_encoder(Path(name))) for name in directories}))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
