"""What models score on a benchmark with the image, without it, and by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.answers import Answers, mean_of
from analysis.lines import Line
from analysis.statistics import Estimate, mean


@dataclass(frozen=True, kw_only=True)
class Level:
    """One benchmark over all models of a source."""

    benchmark: str
    category: str
    on: Estimate
    """Mean score."""
    lowest: float
    highest: float
    """Scores of the worst and the best model."""
    off: float | None
    """Mean without the image."""
    chance: float | None
    models: int
    source: str

    @property
    def difference(self) -> float | None:
        """What the image is worth."""
        return None if self.off is None else self.on.score - self.off


def find_levels(lines: Sequence[Line], groups: Mapping[str, Sequence[str]], answers: Answers) -> list[Level]:
    """Means over `lines`, from the benchmark whose score owes the image most to the one that owes it least.

    Without scores that lack the image, from the highest mean to the lowest. Means of several lines have
    intervals from their `answers`.
    """
    levels = []
    for category, ids in groups.items():
        for name in ids:
            having = [line for line in lines if name in line.scores]
            if not having:
                continue
            points = [line.scores[name] for line in having]
            scores = [point.estimate.score for point in points]
            blind = [point.blind for point in points if point.blind is not None]
            chance = [point.chance for point in points if point.chance is not None]
            levels.append(
                Level(
                    benchmark=name,
                    category=category,
                    on=_mean_score(having, name, answers),
                    lowest=min(scores),
                    highest=max(scores),
                    off=mean(blind) if blind else None,
                    chance=mean(chance) if chance else None,
                    models=len(points),
                    source=lines[0].source,
                )
            )
    return sorted(levels, key=lambda one: -(one.on.score if one.difference is None else one.difference))


def _mean_score(lines: Sequence[Line], name: str, answers: Answers) -> Estimate:
    estimates = [line.scores[name].estimate for line in lines]
    if len(lines) == 1:
        return estimates[0]
    scores = [answers.score(line.runs, name, each.score) for line, each in zip(lines, estimates, strict=True)]
    return answers.estimate_score(mean_of(scores))
