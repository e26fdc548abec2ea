"""Combinations of choices that no run has: which there are, and what the runs at hand say of them.

The grid is the product of the choices that occur on each axis. A cell of it is predicted by an additive model
of the axes (`analysis.grid_model`), fitted to the mean scores of D designs that were run, k seeds each, with
rows x of the model's design matrix X. Of a run's variance v and the variance r of designs around the model,

    variance of the true score = x (X'X)^-1 x' r + max(0, r - v * mean(1 / k))

the first part is the estimate's, the second what choices are worth more or less together than by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from analysis.designs import AXES
from analysis.grid_model import GridModel, main_columns
from analysis.standing import Belief

Levels = Mapping[str, str]
"""Axis -> choice, for all of `AXES`."""


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """The cells of a grid without runs."""

    beliefs: tuple[tuple[Levels, Belief], ...]
    """Those that can be predicted."""
    unknown: int
    """How many more there are."""
    why: str
    """Why those are not predicted; empty if there are none."""


def find_gaps(tried: Sequence[Levels], scores: Sequence[float], seeds: Sequence[int], noise: float) -> Gaps:
    """Predict the cells that are missing in the grid that `tried` spans.

    Args:
        tried: designs with runs.
        scores: mean over the seeds of each, in points.
        seeds: number of runs of each.
        noise: variance of one run's score by its seed, in points squared.
    """
    known = {tuple(levels[axis] for axis in AXES) for levels in tried}
    choices = [sorted({levels[axis] for levels in tried}) for axis in AXES]
    cells = [_levels(cell) for cell in product(*choices) if cell not in known]
    if not cells:
        return Gaps(beliefs=(), unknown=0, why="")
    runs = pd.DataFrame(tried, columns=list(AXES))
    model = GridModel.fit(runs, np.array(scores)[:, None], main_columns(runs, AXES))
    if not model.freedom:
        why = "there are as many choices as designs, so that nothing tells how far a prediction may be off"
        return Gaps(beliefs=(), unknown=len(cells), why=why)
    together = max(model.run_variance - noise * float(np.mean(1 / np.asarray(seeds))), 0.0)
    beliefs = [
        (cell, Belief(mean=found.score, variance=found.share * model.run_variance + together, is_tried=False))
        for cell, found in zip(cells, model.predict(pd.DataFrame(cells)), strict=True)
        if found is not None
    ]
    unknown = len(cells) - len(beliefs)
    why = "the designs at hand do not tell their choices apart" if unknown else ""
    return Gaps(beliefs=tuple(beliefs), unknown=unknown, why=why)


def _levels(cell: Sequence[str]) -> Levels:
    return dict(zip(AXES, cell, strict=True))
