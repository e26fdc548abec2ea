"""All pairs of models on the same questions: how far their scores are apart, and how sure that is.

Numbers are those of `analysis.paired.compare` for two models of one seed each; here one matrix product per
benchmark gives the variances of all pairs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from analysis.published import CATEGORIES
from analysis.statistics import mean
from analysis.units import Credits
from analysis.variance import CONFIDENCE, NEGLIGIBLE, Spread, Values, spread_of

PER_POINT = 100
"""Intervals are kept in hundredths of a point."""
LARGEST = 65_535
"""Of 16 bits."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """R models held against each other on one benchmark, or on the mean of several."""

    name: str
    category: str
    runs: tuple[str, ...]
    """Digests of the models."""
    scores: tuple[float, ...]
    """Points."""
    units: int
    """Questions, or groups of them that are only right together; 0 for a mean of benchmarks."""
    variances: Values
    """Of the differences, in points squared, (R, R)."""
    freedoms: Values
    """Degrees of freedom of the variances, (R, R)."""
    differing: NDArray[np.int64] | None
    """Units for which the two got different credits, (R, R); none for a mean of benchmarks."""

    @property
    def reaches(self) -> Values:
        """Half the 95 % intervals of the differences, in points, (R, R)."""
        return student.isf((1 - CONFIDENCE) / 2, self.freedoms) * np.sqrt(self.variances)


def compare_all(found: Sequence[Credits]) -> list[Comparison]:
    """Compare the models on each benchmark, on the mean of each category and on that of the categories.

    A mean is of models that all answered the same questions of all its benchmarks.
    """
    single = [_compare(each) for each in found]
    names = [each.benchmark for each in found]
    common = [one for one in single if names.count(one.name) == 1]
    grouped = [(name, [one for one in common if one.category == name]) for name in CATEGORIES]
    means = [_mean(f"{CATEGORIES[name]}: mean", name, parts) for name, parts in grouped if parts]
    whole = [_mean("All categories: mean", "", means)] if len(means) == len(CATEGORIES) else []
    return [*whole, *means, *single]


def _compare(credits: Credits) -> Comparison:
    spread = spread_of(credits)
    variances = question_variances(spread)
    return Comparison(
        name=credits.benchmark,
        category=credits.category,
        runs=credits.runs,
        scores=tuple(float(score) for score in spread.scores),
        units=len(credits.units),
        variances=variances,
        freedoms=np.full_like(variances, spread.freedom),
        differing=np.stack([(row != credits.sighted).sum(axis=1) for row in credits.sighted]),
    )


def question_variances(spread: Spread) -> Values:
    """Variance of the difference of every two rows by the choice of questions, (R, R), in points squared.

    It is that of `analysis.variance`, with its one more cluster on which the models differ.
    """
    products = spread.deviations @ spread.deviations.T
    own = np.diag(products)
    shared = np.maximum(own[:, None] + own[None, :] - 2 * products, 0.0)
    clusters = spread.totals.shape[1]
    counts, squares = np.empty_like(shared), np.empty_like(shared)
    for number, row in enumerate(spread.totals):
        apart = spread.totals - row
        counts[number] = (np.abs(apart) > NEGLIGIBLE).sum(axis=1)
        squares[number] = np.einsum("rc,rc->r", apart, apart)
    nothing = (100.0 / clusters) ** 2
    one_more = np.divide(squares, counts, out=np.full_like(squares, nothing), where=counts > 0)
    return shared + one_more * (1 - counts / clusters)


def _mean(name: str, category: str, parts: Sequence[Comparison]) -> Comparison:
    """Mean with equal weights; benchmarks are independent, so variances add (Welch and Satterthwaite)."""
    runs = tuple(sorted(set.intersection(*(set(part.runs) for part in parts))))
    places = [[part.runs.index(run) for run in runs] for part in parts]
    squares = [np.ix_(place, place) for place in places]
    shares = [part.variances[where] / len(parts) ** 2 for part, where in zip(parts, squares, strict=True)]
    variances = np.sum(shares, axis=0)
    uncertain = [
        share**2 / part.freedoms[where] for share, part, where in zip(shares, parts, squares, strict=True)
    ]
    scores = [
        mean([part.scores[place[number]] for part, place in zip(parts, places, strict=True)])
        for number in range(len(runs))
    ]
    return Comparison(
        name=name,
        category=category,
        runs=runs,
        scores=tuple(scores),
        units=0,
        variances=variances,
        freedoms=variances**2 / np.sum(uncertain, axis=0),
        differing=None,
    )


def packed(comparison: Comparison, places: Mapping[str, int]) -> dict[str, object]:
    """Write a comparison for the browser, models in its order; of each pair the half above the diagonal."""
    order = sorted(range(len(comparison.runs)), key=lambda number: places[comparison.runs[number]])
    chosen = np.ix_(order, order)
    above = np.triu_indices(len(order), 1)
    differing = comparison.differing
    return {
        "name": comparison.name,
        "category": comparison.category,
        "units": comparison.units,
        "runs": [places[comparison.runs[number]] for number in order],
        "scores": [round(comparison.scores[number], 2) for number in order],
        "reaches": _base64(comparison.reaches[chosen][above] * PER_POINT),
        "differing": "" if differing is None else _base64(differing[chosen][above]),
    }


def _base64(values: NDArray[np.float64] | NDArray[np.int64]) -> str:
    """Write whole numbers of 16 bits, the lower byte first."""
    return base64.b64encode(np.minimum(np.rint(values), LARGEST).astype("<u2").tobytes()).decode("ascii")
