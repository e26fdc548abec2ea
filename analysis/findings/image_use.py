"""Contrasts of benchmarks: what their scores owe to the image. The units are the benchmarks.

Of each benchmark the mean over all models is taken; how models differ is not the noise here, how benchmarks
differ is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.findings.evidence import Levels, Model
from analysis.findings.inference import Unit, effect_of, mean_of_units, share_of_units
from analysis.findings.terms import Comparison, QuestionVariance
from analysis.statistics import mean


@dataclass(frozen=True, kw_only=True)
class SmallGain:
    """Per cent of the benchmarks that gain less than so many points by the image."""

    points: float
    noun: str = "benchmarks"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Count the benchmarks; neither the measure nor the sampling of questions plays a part."""
        units = _by_benchmark(models, lambda levels: levels.score - levels.blind)
        return Comparison(
            units=tuple(units), effect=share_of_units(units, below=self.points) if units else None
        )


@dataclass(frozen=True, kw_only=True)
class BlindLead:
    """Points above chance without the image."""

    noun: str = "benchmarks"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Average over the benchmarks; neither the measure nor the sampling of questions plays a part."""
        units = _by_benchmark(models, lambda levels: levels.blind - levels.chance)
        return Comparison(units=tuple(units), effect=effect_of(mean_of_units(units), None) if units else None)


def _by_benchmark(models: Sequence[Model], value: Callable[[Levels], float]) -> list[Unit]:
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for model in models:
        for name, levels in model.levels.items():
            if not math.isnan(levels.blind):  # results from elsewhere may not have been asked blind
                values[name][model.key] = value(levels)
    return [
        Unit(name=name, value=mean(list(found.values())), weights=dict.fromkeys(found, 1 / len(found)))
        for name, found in sorted(values.items())
    ]
