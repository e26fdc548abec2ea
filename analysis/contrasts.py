"""Contrasts between models: which are compared, what one independent unit is, and how units are combined.

Compared models are alike in every axis that the contrast does not name, the seed included. A unit is an
encoder (or a combination of encoders) with all its comparable models averaged: how units differ is the noise
that a statement about encoders has to rise above. Controls take no part.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from analysis.evidence import Model
from analysis.inference import Combination, Unit, difference_of_groups, mean_of_units, slope_over_units
from analysis.terms import Comparison, QuestionVariance, Term, conclude, having, units_of

SIDES: Mapping[str, Callable[[Model], bool]] = {
    "language": lambda model: model.supervision == "language",
    "self": lambda model: model.supervision == "self",
    "other": lambda model: model.supervision == "other",
    "convnet": lambda model: _is_language_supervised(model, is_convnet=True),
    "transformer": lambda model: _is_language_supervised(model, is_convnet=False),
}
"""Groups of single encoders that can be compared; the last two are both language-supervised."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Models before and after one design choice or several; the mean change of an encoder."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    """Axis -> choice, the same axes as before."""
    only: str | None = None
    """Supervision of the encoders; none for all."""
    noun: str = "encoders"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Average the change over encoders."""
        units = self.units(models, measure)
        return conclude(units, mean_of_units(units) if units else None, measure, questions)

    def units(self, models: Sequence[Model], measure: str, group: str = "") -> list[Unit]:
        """Change of each encoder, averaged over the designs and seeds in which it can be seen."""
        there = {self._rest(model): model for model in having(models, measure) if _is_at(model, self.after)}
        terms = [
            Term(name=model.encoder, plus=there[self._rest(model)], minus=model)
            for model in having(models, measure)
            if _is_at(model, self.before)
            and self._rest(model) in there
            and self.only in (None, model.supervision)
        ]
        return units_of(terms, measure, group)

    def _rest(self, model: Model) -> tuple[str, ...]:
        others = (f"{axis}={choice}" for axis, choice in model.design.items() if axis not in self.before)
        return model.encoder, str(model.seed), *sorted(others)


@dataclass(frozen=True, kw_only=True)
class Lead:
    """One group of encoders over another at one design; both are keys of `SIDES`."""

    more: str
    less: str
    at: Mapping[str, str]
    noun: str = "encoders"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Take the difference of the groups' means over encoders."""
        chosen, notes = _one_design(having(models, measure), self.at)
        units = [
            unit
            for side in (self.more, self.less)
            for unit in units_of(
                [Term(name=m.encoder, plus=m) for m in chosen if SIDES[side](m)], measure, side
            )
        ]
        return conclude(units, _between(units, self.more, self.less), measure, questions, notes)


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """How much more one group of encoders gains by a change than another: how far a gap closes."""

    change: Change
    behind: str
    ahead: str
    noun: str = "encoders"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Take the difference of the groups' mean changes."""
        units = [
            unit
            for side in (self.behind, self.ahead)
            for unit in self.change.units(
                [m for m in models if len(m.encoders) == 1 and SIDES[side](m)], measure, side
            )
        ]
        return conclude(units, _between(units, self.behind, self.ahead), measure, questions)


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The same encoder at two resolutions, everything else alike; the units are the encoders."""

    noun: str = "encoders"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Average the gain by the higher resolution over encoders."""
        groups: dict[tuple[str, ...], dict[int, Model]] = defaultdict(dict)
        for model in having(models, measure):
            if model.backbone and model.resolution:
                key = (model.backbone.family, str(model.seed), *model.design.values())
                groups[key][model.resolution] = model
        terms = [
            Term(name=key[0], plus=found[max(found)], minus=found[min(found)])
            for key, found in groups.items()
            if len(found) > 1
        ]
        units = units_of(terms, measure)
        return conclude(units, mean_of_units(units) if units else None, measure, questions)


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Score over resolution among the encoders of one group, in points per doubling."""

    side: str
    at: Mapping[str, str]
    noun: str = "encoders"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Fit a line over the logarithm of the resolution."""
        chosen, notes = _one_design(having(models, measure), self.at)
        units = []
        for size in sorted({model.resolution for model in chosen if model.resolution}):
            same = [model for model in chosen if model.resolution == size and SIDES[self.side](model)]
            terms = [Term(name=model.encoder, plus=model) for model in same]
            units += units_of(terms, measure, place=math.log2(size))
        return conclude(units, slope_over_units(units), measure, questions, notes)


def _between(units: Sequence[Unit], more: str, less: str) -> Combination | None:
    return difference_of_groups(units, more, less) if {u.group for u in units} == {more, less} else None


def _is_at(model: Model, choices: Mapping[str, str]) -> bool:
    return all(model.design[axis] == choice for axis, choice in choices.items())


def _one_design(models: Sequence[Model], at: Mapping[str, str]) -> tuple[list[Model], list[str]]:
    """Single encoders at `at` in that one design which has most encoders, the first of several in order."""
    designs: dict[tuple[str, ...], list[Model]] = defaultdict(list)
    for model in models:
        if len(model.encoders) == 1 and _is_at(model, at):
            designs[tuple(model.design.values())].append(model)
    if not designs:
        return [], []
    best = min(designs, key=lambda key: (-len({model.encoder for model in designs[key]}), key))
    others = [" ".join(key) for key in sorted(designs) if key != best]
    return designs[best], [f"compared at {' '.join(best)}, not at {', '.join(others)}"] if others else []


def _is_language_supervised(model: Model, *, is_convnet: bool) -> bool:
    backbone = model.backbone
    return model.supervision == "language" and backbone is not None and backbone.is_convnet == is_convnet
