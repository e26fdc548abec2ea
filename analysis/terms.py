"""From models to units, each one independent observation, and from all units to an effect."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from analysis.evidence import Model
from analysis.inference import Combination, Effect, Unit, effect_of
from analysis.statistics import mean

QuestionVariance = Callable[[Mapping[str, float], str], float | None]
"""Weight of each model and a measure -> variance of the weighted sum by the sampling of questions."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a contrast finds among models."""

    units: tuple[Unit, ...]
    effect: Effect | None
    """None if there is nothing to compare."""
    notes: tuple[str, ...] = ()
    """Which models were not compared, one sentence each."""


class Contrast(Protocol):
    """One way to compare models."""

    @property
    def noun(self) -> str:
        """What its units are, in the plural."""
        ...

    @abstractmethod
    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Compare those of `models`, none of them a control, that have `measure`."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One model, or the difference of two, that counts for the unit `name`."""

    name: str
    plus: Model
    minus: Model | None = None


def units_of(terms: Sequence[Term], measure: str, group: str = "", place: float = 0.0) -> list[Unit]:
    """Average the terms of each unit."""
    by_name: dict[str, list[Term]] = defaultdict(list)
    for term in terms:
        by_name[term.name].append(term)
    units = []
    for name, ones in sorted(by_name.items()):
        weights: dict[str, float] = defaultdict(float)
        values = []
        for term in ones:
            weights[term.plus.key] += 1 / len(ones)
            values.append(term.plus.means[measure])
            if term.minus:
                weights[term.minus.key] -= 1 / len(ones)
                values[-1] -= term.minus.means[measure]
        units.append(Unit(name=name, value=mean(values), weights=dict(weights), group=group, place=place))
    return units


def conclude(
    units: Sequence[Unit],
    combination: Combination | None,
    measure: str,
    questions: QuestionVariance,
    notes: Sequence[str] = (),
) -> Comparison:
    """Give the effect of `combination` of `units`, with what the sampling of questions adds to its noise."""
    if combination is None:
        return Comparison(units=tuple(units), effect=None, notes=tuple(notes))
    weights: dict[str, float] = defaultdict(float)
    for unit, share in zip(units, combination.weights, strict=True):
        for key, weight in unit.weights.items():
            weights[key] += share * weight
    effect = effect_of(combination, questions(weights, measure))
    return Comparison(units=tuple(units), effect=effect, notes=tuple(notes))


def having(models: Sequence[Model], measure: str) -> list[Model]:
    """Those of `models` that were fully evaluated on `measure`."""
    return [model for model in models if measure in model.means]
