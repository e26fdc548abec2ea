"""Own orders of the encoders beside the paper's, category by category, with intervals.

An interval holds the middle 95 % of `DRAWS` resamplings with replacement: of the encoders, of the seeds of
each, and of the benchmarks of each category (the same for all encoders, and for the paper where it has these
benchmarks). The paper prints one number for each, so that how its own scores would vary is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import AnalysisError
from analysis.lines import DESIGN
from analysis.published import (
    AVERAGE,
    CATEGORIES,
    NAMES,
    PublishedModel,
    benchmarks,
    category_only_models,
    recipe_models,
)
from analysis.rank_correlation import Values, kendall, spearman

LEAST = 4
"""Encoders below which an order says nothing: three come in the right one by chance every sixth time."""
DRAWS = 4000


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A rank correlation, from -1 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "- (all equal)"
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike two orders of encoders are, in one category or in the average of all four."""

    category: str
    encoders: tuple[str, ...]
    """From best to worst in the own results."""
    published: tuple[str, ...]
    """The same, from best to worst in the paper."""
    spearman: Coefficient | None
    """None for fewer than `LEAST` encoders."""
    kendall: Coefficient | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One design of own results beside the paper's numbers for it."""

    design: Mapping[str, str]
    """Axis -> choice, for scale and the axes of `DESIGN`."""
    agreements: tuple[Agreement, ...]
    notes: tuple[str, ...]
    """What is not compared, one sentence each."""


def compare(frame: pd.DataFrame) -> list[Comparison]:
    """Compare every design among evaluations of one scale (columns of results.Row) with the paper.

    Raises:
        AnalysisError: if the paper has numbers for none of them.
    """
    models = [*recipe_models(), *category_only_models()]
    found: list[Comparison] = []
    missing: set[str] = set()
    axes: list[str] = ["scale", *DESIGN]
    for key, part in frame.groupby(axes, sort=True):
        design = dict(zip(axes, map(str, key), strict=True))
        recipe = (design["adapter"], design["vision"], design["instruct"])
        there = {
            NAMES[model.encoder]: model
            for model in models
            if (model.adapter, model.vision, model.instruct.lower()) == recipe
        }
        if there:
            found.append(_compare(design, part, there))
        else:
            missing.add(" ".join(recipe))
    if not found:
        raise AnalysisError(f"the paper has no scores for {'; '.join(sorted(missing))}")
    return found


def _compare(
    design: Mapping[str, str], frame: pd.DataFrame, there: Mapping[str, PublishedModel]
) -> Comparison:
    notes = []
    names = sorted(set(frame["encoder"]))
    strangers = [name for name in names if name not in there]
    if strangers:
        notes.append(f"the paper has no scores of {', '.join(strangers)} for this recipe")
    models = frame[["encoder", "seed", "run"]].drop_duplicates()
    twice = models[models.duplicated(["encoder", "seed"], keep=False)]
    if not twice.empty:
        known = ", ".join(sorted(set(twice["encoder"])))
        notes.append(f"several models with the same axes, left out: {known}; choose among them with --runs")
    frame = frame[frame["encoder"].isin(list(there)) & ~frame["run"].isin(twice["run"])]
    paper = benchmarks()
    sides = {}
    for category in CATEGORIES:
        rows = frame[frame["category"] == category]
        side, lacking = _side(rows, there, paper[category], category)
        sides[category] = side
        notes += [f"{CATEGORIES[category]}: {name} is left out, {why}" for name, why in lacking.items()]
    agreements = [_agreement(name, [side]) for name, side in sides.items()]
    agreements.append(_agreement(AVERAGE, list(sides.values())))
    return Comparison(design=design, agreements=tuple(agreements), notes=tuple(notes))


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Scores of one category: own ones by encoder, and the paper's for the same encoders."""

    own: Mapping[str, Values]
    """Encoder -> (seeds, benchmarks)."""
    published: Mapping[str, Values]
    """Encoder -> (benchmarks), the same ones if `paired`, else one mean."""
    paired: Mapping[str, bool]
    count: int
    """Own benchmarks."""


def _side(
    rows: pd.DataFrame, there: Mapping[str, PublishedModel], paper: Sequence[str], category: str
) -> tuple[_Side, dict[str, str]]:
    """Take the scores that can be compared; and encoder -> why it has none."""
    ids = sorted(set(rows["benchmark"]))
    same = bool(ids) and set(ids) <= set(paper)
    own: dict[str, Values] = {}
    published: dict[str, Values] = {}
    paired: dict[str, bool] = {}
    lacking: dict[str, str] = {}
    for name, part in rows.groupby("encoder"):
        table = part.pivot_table(index="seed", columns="benchmark", values="score").reindex(columns=ids)
        whole = table.dropna()
        model = there[str(name)]
        if whole.empty:
            missing = ", ".join(str(each) for each in table.columns[table.isna().all()])
            lacking[str(name)] = f"not evaluated on {missing or 'all benchmarks with one seed'}"
        elif same and not model.scores and set(ids) != set(paper):
            lacking[str(name)] = "the paper has its mean alone"
        else:
            own[str(name)] = whole.to_numpy(dtype=np.float64)
            paired[str(name)] = same and bool(model.scores)
            scores = [model.scores[each] for each in ids] if paired[str(name)] else [model.means[category]]
            published[str(name)] = np.array(scores)
    return _Side(own=own, published=published, paired=paired, count=len(ids)), lacking


def _agreement(category: str, sides: Sequence[_Side]) -> Agreement:
    """Correlate the mean of the categories `sides` over the encoders that have them all."""
    names = sorted(set.intersection(*(set(side.own) for side in sides)))
    if not names:
        return Agreement(category=category, encoders=(), published=(), spearman=None, kendall=None)
    rng = np.random.default_rng(0)
    exact = [_means(side, names, None, 1) for side in sides]
    own, published = (np.mean([pair[which] for pair in exact], axis=0) for which in (0, 1))
    orders = [
        tuple(names[index] for index in np.argsort(-values[0], kind="stable")) for values in (own, published)
    ]
    rho = tau = None
    if len(names) >= LEAST:
        drawn = [_means(side, names, rng, DRAWS) for side in sides]
        chosen = rng.integers(len(names), size=(DRAWS, len(names)))
        again = [
            np.take_along_axis(np.mean([pair[which] for pair in drawn], axis=0), chosen, axis=1)
            for which in (0, 1)
        ]
        rho, tau = (_coefficient(measure, own, published, again) for measure in (spearman, kendall))
    return Agreement(category=category, encoders=orders[0], published=orders[1], spearman=rho, kendall=tau)


def _means(
    side: _Side, names: Sequence[str], rng: np.random.Generator | None, draws: int
) -> tuple[Values, Values]:
    """Own and published means of a category, each (draws, encoders); without `rng` nothing is resampled."""
    weights = _weights(side.count, rng, draws)
    own, published = np.empty((draws, len(names))), np.empty((draws, len(names)))
    for index, name in enumerate(names):
        scores = side.own[name]
        seeds = _weights(len(scores), rng, draws)
        own[:, index] = np.einsum("ds,sb,db->d", seeds, scores, weights)
        there = side.published[name]
        published[:, index] = weights @ there if side.paired[name] else there[0]
    return own, published


def _weights(count: int, rng: np.random.Generator | None, draws: int) -> Values:
    """Shares (draws, count) that resampling with replacement gives to each of `count`."""
    if rng is None or count == 1:
        return np.full((draws, count), 1 / count)
    return rng.multinomial(count, [1 / count] * count, size=draws) / count


def _coefficient(
    measure: Callable[[Values, Values], Values], own: Values, published: Values, again: Sequence[Values]
) -> Coefficient:
    """The coefficient with the middle 95 % of the draws that have one, where not all encoders are equal."""
    drawn = measure(again[0], again[1])
    drawn = drawn[~np.isnan(drawn)]
    value = float(measure(own, published)[0])
    if not drawn.size:
        return Coefficient(value=value, low=float("nan"), high=float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Coefficient(value=value, low=float(low), high=float(high))
