"""Principal components of benchmarks over models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.correlation import correlate


@dataclass(frozen=True, kw_only=True)
class Components:
    """The first two."""

    places: np.ndarray
    """(benchmarks, 2): correlation of each benchmark with each component; nan for a constant one."""
    shares: tuple[float, float]
    """Of the variance of all standardised benchmarks."""


def find_components(table: np.ndarray) -> Components:
    """Take the components of `table` (models, benchmarks) with every benchmark standardised.

    Both components are turned so that their correlations with the benchmarks have a sum of at least 0: a
    component has no sign of its own.
    """
    correlations = correlate(table)
    varied = np.isfinite(np.diag(correlations))
    correlations = correlations[np.ix_(varied, varied)]
    values, vectors = np.linalg.eigh(correlations)
    first = np.argsort(values)[::-1][:2]
    turned = vectors[:, first] * np.sqrt(np.maximum(values[first], 0.0))
    places = np.full((len(varied), 2), np.nan)
    places[varied] = turned * np.where(turned.sum(axis=0) < 0, -1.0, 1.0)
    total = float(np.trace(correlations))
    shares = (float(values[first[0]]) / total, float(values[first[1]]) / total)
    return Components(places=places, shares=shares)
