"""Answers of made-up designs of known worth: correlated questions, clusters, seeds that train differently."""

from __future__ import annotations

import numpy as np

from analysis.units import Credits

SHAPES: dict[str, tuple[int, int, float]] = {
    "plain": (300, 1, 0.6),
    "clustered": (320, 8, 0.6),
    "few clusters": (60, 6, 0.0),
    "near 3 %": (500, 1, -5.6),
    "near 97 %": (500, 1, 5.6),
    "near 97 %, clustered": (400, 4, 5.6),
    "MMVP": (150, 1, -0.2),
    "graded": (300, 2, -0.6),
}
"""Name -> units, units of a cluster, and how easy they are (logit)."""


def answers(
    shape: str,
    generator: np.random.Generator,
    seeds: tuple[int, ...],
    training: float = 0.0,
    effect: float = 0.0,
) -> np.ndarray:
    """Credits (runs, units) of designs of `seeds` runs each, the first one better by `effect` (logit).

    What is hard is partly the same for all designs, partly a design's own, partly one seed's; a seed is
    better or worse than its design by `training`.
    """
    count, size, ease = SHAPES[shape]
    groups = count // size
    shared = generator.normal(0, 1.5, groups)
    rows = []
    for design, number in enumerate(seeds):
        own = generator.normal(0, 1.0, groups)
        for _ in range(number):
            logit = np.repeat(shared + own + generator.normal(0, 0.4, groups), size)
            logit += ease + generator.normal(0, training) + (effect if design == 0 else 0.0)
            rows.append(_credits(shape, logit, generator))
    return np.array(rows)


def _credits(shape: str, logit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    chosen = logit + generator.logistic(size=len(logit)) > 0
    if shape == "MMVP":  # both questions of a pair
        return (chosen & (logit + 1 + generator.logistic(size=len(logit)) > 0)).astype(float)
    if shape == "graded":  # as ANLS: nothing below a half
        similarity = np.clip(logit / 4 + 0.5 + generator.normal(0, 0.2, len(logit)), 0, 1)
        return np.where(similarity < 0.5, 0.0, similarity)
    return chosen.astype(float)


def credits_of(
    shape: str, rows: np.ndarray, benchmark: str = "made_up", category: str = "general"
) -> Credits:
    """As read from a store."""
    count, size, _ = SHAPES[shape]
    return Credits(
        benchmark=benchmark,
        category=category,
        runs=tuple(f"run{number:02d}" for number in range(len(rows))),
        units=np.array([f"q{number:04d}" for number in range(count)], dtype=object),
        clusters=np.repeat(np.arange(count // size), size),
        parts=np.array([""] * count, dtype=object),
        points=np.full(count, 100 / count),
        sighted=rows.astype(np.float32),
        blind=np.zeros(rows.shape, np.float32),
    )
