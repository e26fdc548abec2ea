"""How a difference of scores varies, split by where it comes from: the questions, and the seeds.

Runs answer the same questions, and a design may have several seeds: seeds and clusters of questions are
crossed. With one seed each, a difference varies with the questions alone as far as is known:

    questions = sum over clusters of (deviation of the difference in that cluster)^2 * C / (C - 1)

With several, the variance of scores over seeds, divided by their number, is added. Single answers that differ
from seed to seed by chance are in both, so they are taken off the first (variance components of a crossed
design; Cameron, Gelbach and Miller, Journal of Business & Economic Statistics 29, 2011):

    variance = max(0, questions - single answers) + seeds

Few seeds have few degrees of freedom. With shares w of the variance, the quantile of the sum is

    normal + sum over the parts of (Student's t - normal) * (1 - (1 - w^2)^(1 + 3 / freedom^2))

For many degrees of freedom that is w^2, as in Welch's series (Biometrika 34, 1947); the exponent is ours, so
that intervals hold in 93.5 to 96.6 % whatever the shares are with two seeds, and nearer to 95 % with more.
Weights of w (Cochran, Biometrics 20, 1964) are up to 97.8 %, Satterthwaite's degrees of freedom down to 87 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

from analysis.units import Credits

CONFIDENCE = 0.95
NEGLIGIBLE = 1e-9
"""Points that a sum may miss by rounding."""
SMALLEST = 1e-15
"""p-value that is given for any smaller one; far below it quantiles are not exact."""

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Spread:
    """One benchmark's scores of R runs, and what each of C clusters of questions adds to their variance."""

    scores: Values
    """In points (R)."""
    totals: Values
    """Points that each cluster adds to the score (R, C)."""
    deviations: Values
    """Of each cluster's points from what its questions give on average, scaled so that squares sum up to the
    variance of the score (R, C)."""
    freedom: int
    """Clusters, less one for each stratum."""
    units: int
    """Questions, or groups that are right together."""


def spread_of(credits: Credits, chosen: Sequence[int] | None = None) -> Spread:
    """Prepare the sighted credits of the `chosen` rows of `credits`, by default all.

    Parts of a benchmark are strata where they weigh the same though they have different numbers of questions.
    """
    rows = credits.sighted if chosen is None else credits.sighted[list(chosen)]
    totals = credits.totals(rows)
    points = credits.totals(np.ones((1, rows.shape[1])))[0]
    strata = _strata(credits)
    deviations = np.empty_like(totals)
    for stratum in range(strata.max() + 1):
        inside = strata == stratum
        count, whole = int(inside.sum()), points[inside].sum()
        means = totals[:, inside].sum(axis=1, keepdims=True) / whole
        scale = math.sqrt(count / (count - 1)) if count > 1 else 1.0
        deviations[:, inside] = scale * (totals[:, inside] - means * points[inside])
    freedom = max(totals.shape[1] - int(strata.max()) - 1, 1)
    return Spread(
        scores=totals.sum(axis=1),
        totals=totals,
        deviations=deviations,
        freedom=freedom,
        units=rows.shape[1],
    )


def _strata(credits: Credits) -> NDArray[np.intp]:
    """Stratum of each cluster; one of all unless the weights of questions differ."""
    clusters = int(credits.clusters.max()) + 1
    strata = np.zeros(clusters, dtype=np.intp)
    if not np.allclose(credits.points, credits.points[0], rtol=1e-9):
        _, numbers = np.unique(credits.parts.astype(str), return_inverse=True)
        strata[credits.clusters] = numbers
        _, strata = np.unique(strata, return_inverse=True)
    return strata


@dataclass(frozen=True, kw_only=True)
class Variance:
    """Of a difference of scores, in points squared, with the degrees of freedom of its parts."""

    questions: float
    """From the choice of questions; with several seeds only what all of them share."""
    questions_freedom: float
    seeds: float = 0.0
    """From the choice of seeds: training, and single answers."""
    seeds_freedom: int = 0
    """0 where no design has two seeds, so that training is in no part of the variance."""
    training: float | None = None
    """Of `seeds`, what is left without single answers; none where it is unknown."""

    @property
    def error(self) -> float:
        """Standard error, in points."""
        return math.sqrt(self.questions + self.seeds)

    def quantile(self, tail: float = (1 - CONFIDENCE) / 2) -> float:
        """How many standard errors leave `tail` beyond them."""
        if not self.seeds_freedom:
            return -float(stdtrit(self.questions_freedom, tail))
        normal, whole = -float(ndtri(tail)), self.questions + self.seeds
        parts = ((self.questions, self.questions_freedom), (self.seeds, self.seeds_freedom))
        return normal + sum(
            (-float(stdtrit(freedom, tail)) - normal)
            * (1 - (1 - (part / whole) ** 2) ** (1 + 3 / freedom**2))
            for part, freedom in parts
        )

    def p_value(self, difference: float) -> float:
        """Two-sided, so that it is below 5 % where the 95 % interval leaves out zero."""
        wanted = abs(difference) / self.error
        if not self.seeds_freedom:
            return max(2 * float(stdtr(self.questions_freedom, -wanted)), SMALLEST)

        from scipy.optimize import root_scalar  # loads as long as all else of scipy, and no figure needs it

        def missing(logarithm: float) -> float:
            return self.quantile(math.exp(logarithm) / 2) - wanted

        if missing(math.log(SMALLEST)) <= 0:
            return SMALLEST
        return math.exp(root_scalar(missing, bracket=(math.log(SMALLEST), 0.0)).root)


Terms = Sequence[tuple[float, Spread]]
"""Independent benchmarks and their weights, which sum to 1: a score is the weighted sum of theirs."""
Designs = Sequence[Sequence[int]]
"""Of each design, the rows of its seeds in a spread."""


def score_of(terms: Terms, rows: Sequence[int]) -> float:
    """Score of one design, the mean over its seeds, which are the `rows` of all spreads."""
    return sum(weight * float(spread.scores[list(rows)].mean()) for weight, spread in terms)


def median_of_pairs(deviations: Values) -> float:
    """Median over pairs of two or more rows (R, C) of the variance of their difference, in points squared."""
    products = deviations @ deviations.T
    own = np.diag(products)
    return float(np.median((own[:, None] + own[None, :] - 2 * products)[np.triu_indices(len(own), 1)]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one benchmark adds to a weighted sum of scores of designs; others add to it independently."""

    weights: Sequence[float]
    """Of each design's mean score."""
    spread: Spread
    designs: Designs
    """As many in all parts, with as many seeds each, in the same order."""

    def sum_of(self, rows: Values) -> Values:
        """Weighted sum of the designs' means of `rows`, such as totals (R, C) -> (C)."""
        counts = [len(chosen) for chosen in self.designs]
        weights = np.repeat(np.divide(self.weights, counts), counts)
        return weights @ rows[[row for chosen in self.designs for row in chosen]]


def variance_of(terms: Terms, first: Sequence[int], second: Sequence[int]) -> Variance:
    """Variance of the difference between two designs, given as rows of their seeds in all spreads."""
    return variance_of_sum(_parts(terms, (1.0, -1.0), [first, second]))


def variance_of_score(terms: Terms, rows: Sequence[int]) -> Variance:
    """Variance of the mean score of one design over its seeds, which are the `rows` of all spreads."""
    return variance_of_sum(_parts(terms, (1.0,), [rows]))


def _parts(terms: Terms, signs: Sequence[float], designs: Designs) -> list[Part]:
    return [
        Part(weights=[weight * sign for sign in signs], spread=spread, designs=designs)
        for weight, spread in terms
    ]


def variance_of_sum(parts: Sequence[Part]) -> Variance:
    """Variance of the sum of `parts`."""
    questions = [_question_variance(part) for part in parts]
    squares = [each**2 / part.spread.freedom for each, part in zip(questions, parts, strict=True)]
    freedom = (
        sum(questions) ** 2 / sum(squares) if any(squares) else min(part.spread.freedom for part in parts)
    )
    seeds, answers, seeds_freedom = _pooled(parts)
    if not seeds_freedom:
        return Variance(questions=max(sum(questions), NEGLIGIBLE), questions_freedom=freedom)
    share = sum(1 / len(rows) for rows in parts[0].designs)
    return Variance(
        questions=max(sum(questions) - share * answers, NEGLIGIBLE),
        questions_freedom=freedom,
        seeds=share * seeds,
        seeds_freedom=seeds_freedom,
        training=share * max(seeds - answers, 0.0),
    )


def _question_variance(part: Part) -> float:
    """Of one benchmark, with one more cluster that has points in the sum.

    Without it a difference seen in few clusters would seem too sure, and equal answers wholly sure; for
    right and wrong answers to independent questions it is the adjustment of Agresti and Min (Statistics in
    Medicine 24, 2005). It counts the less, the more clusters differ: there Student's t does for small
    numbers.
    """
    deviations, totals = part.sum_of(part.spread.deviations), part.sum_of(part.spread.totals)
    differing = totals[np.abs(totals) > NEGLIGIBLE]
    whole = max(map(abs, part.weights)) * 100.0 / totals.size
    one_more = float(np.mean(differing**2)) if differing.size else whole**2
    return float(deviations @ deviations) + one_more * (1 - differing.size / totals.size)


def seed_variance(terms: Terms, designs: Designs) -> tuple[float, float, int]:
    """Variance of a score from seed to seed of one design, pooled over `designs` (rows of their seeds).

    Returns:
        the variance in points squared, the part of it that single answers account for, and the degrees of
        freedom: 0 if no design has two seeds.
    """
    return _pooled(_parts(terms, [1.0] * len(designs), designs))


def _pooled(parts: Sequence[Part]) -> tuple[float, float, int]:
    """As `seed_variance`, of what each design adds to a sum."""
    seeds, answers, freedom = 0.0, 0.0, 0
    for place, alike in enumerate(zip(*(part.designs for part in parts), strict=True)):
        if len(alike[0]) > 1:
            mine = [
                (part.weights[place], part.spread, list(rows))
                for part, rows in zip(parts, alike, strict=True)
            ]
            seeds += _squares(np.sum([weight * spread.scores[rows] for weight, spread, rows in mine], axis=0))
            answers += sum(weight**2 * _squares(spread.deviations[rows]) for weight, spread, rows in mine)
            freedom += len(alike[0]) - 1
    return (seeds / freedom, answers / freedom, freedom) if freedom else (0.0, 0.0, 0)


def _squares(rows: Values) -> float:
    """Sum of squared distances from the mean over the first axis."""
    return float(np.sum((rows - rows.mean(axis=0)) ** 2))
