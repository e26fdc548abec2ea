"""Check windowing and interpolation, which have no weights."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from cambrian.connectors.grids import resize, to_windows, window_mask
from cambrian.reference.vectors import Vectors


def check_windows(vectors: Vectors) -> None:
    """Compare windows (B*N, K, ...) with the recorded tokens (B, N*K, ...) of the same number, cut by us."""
    inputs = vectors.below("in.")
    for name, recorded in vectors.below("out.").items():
        for tokens in _sources(name, recorded, inputs):
            side = math.isqrt(recorded.shape[0] // tokens.shape[0])
            grid = math.isqrt(tokens.shape[1])
            cut = to_windows(tokens.unflatten(1, (grid, grid)), side).flatten(0, 1)
            vectors.compare(f"out.{name}", cut, 0.0)
        if recorded.dtype == torch.bool and recorded.dim() == 2 and "in.image_sizes_wh" in vectors:
            sizes = vectors["in.image_sizes_wh"]
            side = math.isqrt(recorded.shape[0] // len(sizes))
            mask = window_mask(sizes, side * math.isqrt(recorded.shape[1]), side)
            vectors.compare(f"out.{name}", mask.flatten(0, 1), 0.0)


def check_interpolation(vectors: Vectors) -> None:
    """Compare token grids `out.S_to_T` (B, T*T, C) with `in.S_to_T` (B, S*S, C) resized by us."""
    for name, tokens in vectors.below("in.").items():
        sides = re.fullmatch(r"(\d+)_to_(\d+)", name)
        if sides:
            source, target = int(sides[1]), int(sides[2])
            resized = resize(tokens.unflatten(1, (source, source)), target)
            vectors.compare(f"out.{name}", resized.flatten(1, 2), 1e-5)


def _sources(name: str, recorded: Tensor, inputs: dict[str, Tensor]) -> list[Tensor]:
    """Find the input that was cut into `recorded`: as many tokens, whole windows, most alike in name."""
    fitting = {
        key: tokens
        for key, tokens in inputs.items()
        if tokens.dim() >= 3
        and recorded.dim() == tokens.dim()
        and tokens.shape[2:] == recorded.shape[2:]
        and tokens.shape[0] * tokens.shape[1] == recorded.shape[0] * recorded.shape[1]
        and _is_square(tokens.shape[1])
        and _is_square(recorded.shape[1])
        and recorded.shape[0] % tokens.shape[0] == 0
        and _is_square(recorded.shape[0] // tokens.shape[0])
    }
    numbers = re.findall(r"\d+", name)
    alike = sorted(fitting, key=lambda key: -len(set(re.findall(r"\d+", key)) & set(numbers)))
    return [fitting[key] for key in alike[:1]]


def _is_square(count: int) -> bool:
    return math.isqrt(count) ** 2 == count
