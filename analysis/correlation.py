"""How scores on benchmarks go together over models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.lines import Line

LEAST = 4
"""Models that a correlation is taken over: of three, any interval reaches from -1 to 1."""
NORMAL_975 = 1.959964
"""97.5 % quantile of the normal distribution."""


def score_table(lines: Sequence[Line], names: Sequence[str]) -> np.ndarray:
    """Scores (lines, benchmarks) of `names`; nan where a line has none."""
    return np.array(
        [
            [line.scores[name].estimate.score if name in line.scores else np.nan for name in names]
            for line in lines
        ]
    )


def whole_rows(table: np.ndarray) -> np.ndarray:
    """Rows of `table` without a gap: only models with all benchmarks are compared."""
    return table[np.isfinite(table).all(axis=1)]


def correlate(table: np.ndarray) -> np.ndarray:
    """Pearson's correlations (benchmarks, benchmarks) over the rows of `table`; nan for constant columns."""
    centred = table - table.mean(axis=0)
    lengths = np.sqrt((centred**2).sum(axis=0))
    flat = lengths <= 1e-9 * np.maximum(np.abs(table).max(axis=0), 1.0)
    lengths = np.where(flat, np.nan, lengths)
    return np.clip(centred.T @ centred / np.outer(lengths, lengths), -1.0, 1.0)


def interval(r: float, count: int) -> tuple[float, float]:
    """95 % interval of the correlation `r` over `count` > 3 models, by Fisher's z."""
    if abs(r) >= 1 - 1e-12:
        return r, r
    z, half = math.atanh(r), NORMAL_975 / math.sqrt(count - 3)
    return math.tanh(z - half), math.tanh(z + half)
