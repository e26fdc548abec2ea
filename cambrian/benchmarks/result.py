"""What scoring gives: a verdict on each answer, and the numbers of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One question, judged."""

    id: str
    image: str
    wanted: str
    """The benchmark's answer in canonical form, of several the first."""
    sighted: str | None
    """What was answered with the image; None where the text held no answer."""
    blind: str | None
    """The same without the image; None, too, where that was not asked."""
    sighted_credit: float
    """From 0 to 1; between them only where the benchmark's measure knows half-right answers."""
    blind_credit: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """The result of one model on one benchmark; everything but counts in percent, MME's scores to 2000."""

    benchmark: str
    n: int
    """Questions."""
    images: int
    """Different images among them."""
    score: float
    low: float
    """Lower end of the 95 % interval of `score`."""
    high: float
    blind: float | None
    """Score of the same model without the image; None, as all about it, where that was not asked."""
    blind_low: float | None
    blind_high: float | None
    chance: float
    """Expected score of guessing among each question's own options."""
    majority: float
    """Score of always giving the most frequent answer."""
    unparsed: float
    """Share of answers in which the matcher found none; they count as wrong."""
    blind_unparsed: float | None
    details: Mapping[str, float] = field(default_factory=dict)
    """What only some benchmarks have: F1, the score of each part, the score by the authors' protocol."""
    verdicts: tuple[Verdict, ...]
    """In the order of the questions."""

    @property
    def vision_gain(self) -> float | None:
        """What looking is worth: score minus blind."""
        return None if self.blind is None else self.score - self.blind

    def metrics(self) -> dict[str, float | int]:
        """The numbers for a manifest, of those that there are."""
        names = (field.name for field in fields(self))
        kept = (name for name in names if name not in ("benchmark", "verdicts", "details"))
        found = {name: getattr(self, name) for name in kept}
        return {**{name: value for name, value in found.items() if value is not None}, **self.details}
