"""Places of encoders in each category and in the average: what a ranking table holds.

A place is one more than the number of lines with a higher score, so that equal scores share one. Where
scores have 95 % intervals, a line could be as high as one more than the number of lines that lie wholly above
it, and as low as the number of all lines without those wholly below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.lines import Line
from analysis.published import AVERAGE, CATEGORIES
from analysis.statistics import Estimate
from analysis.text import align

COLUMNS: Mapping[str, str] = {**CATEGORIES, AVERAGE: "Average"}
"""What figures show of a line -> how they call it."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place, 1 being the best, with the highest and lowest that intervals leave open."""

    place: int
    first: int | None = None
    last: int | None = None

    def __str__(self) -> str:
        if self.first is None or self.first == self.last:
            return str(self.place)
        return f"{self.place} ({self.first}-{self.last})"


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One line with its places."""

    line: Line
    places: Mapping[str, Place]
    """Category or `average` -> place; absent where the line has no score."""


def rank(lines: Sequence[Line]) -> list[Ranked]:
    """Places of `lines` among themselves, from the best average to the worst; those without one come last."""
    places: list[dict[str, Place]] = [{} for _ in lines]
    for name in COLUMNS:
        scores = [estimate_of(line, name) for line in lines]
        found = [estimate for estimate in scores if estimate]
        for place, estimate in zip(places, scores, strict=True):
            if estimate:
                place[name] = _place(estimate, found)
    ranked = [Ranked(line=line, places=found) for line, found in zip(lines, places, strict=True)]
    worst = Place(place=len(lines) + 1)
    return sorted(ranked, key=lambda one: (one.places.get(AVERAGE, worst).place, one.line.label))


def estimate_of(line: Line, name: str) -> Estimate | None:
    """The score of `line` in one of `COLUMNS`; none where it has none."""
    if name == AVERAGE:
        return line.average
    return line.points[name].estimate if name in line.points else None


def _place(one: Estimate, every: Sequence[Estimate]) -> Place:
    """Place of `one` among `every`, itself included."""
    place = 1 + sum(other.score > one.score for other in every)
    if one.low is None or one.high is None:
        return Place(place=place)
    above = sum(other.low is not None and other.low > one.high for other in every)
    below = sum(other.high is not None and other.high < one.low for other in every)
    return Place(place=place, first=1 + above, last=len(every) - below)


def ranks_to_frame(ranked: Sequence[Ranked]) -> pd.DataFrame:
    """One row per line and column; a gap keeps its row, without a place."""
    return pd.DataFrame(
        [
            {
                "encoder": one.line.encoder,
                "supervision": one.line.supervision,
                "category": name,
                "place": place.place if place else None,
                "first": place.first if place else None,
                "last": place.last if place else None,
                "score": estimate.score if estimate else None,
                "source": one.line.source,
                "scale": one.line.scale,
                **one.line.design,
                "seeds": " ".join(str(seed) for seed in one.line.seeds),
                "runs": " ".join(one.line.runs),
            }
            for one in ranked
            for name in COLUMNS
            for place, estimate in [(one.places.get(name), estimate_of(one.line, name))]
        ]
    ).astype({"place": "Int64", "first": "Int64", "last": "Int64"})


def _rows(ranked: Sequence[Ranked]) -> list[list[str]]:
    """Cells of the table, from its head down."""
    head = ["", "supervision", *COLUMNS.values()]
    return [
        head,
        *(
            [
                one.line.label,
                one.line.supervision,
                *(str(one.places[name]) if name in one.places else "-" for name in COLUMNS),
            ]
            for one in ranked
        ),
    ]


def text_of_ranks(ranked: Sequence[Ranked]) -> str:
    """The table for a terminal."""
    return align(_rows(ranked))


def markdown_table(ranked: Sequence[Ranked]) -> str:
    """The table in Markdown."""
    head, *rows = _rows(ranked)
    rule = ["---", "---", *["---:"] * len(COLUMNS)]
    return "".join(f"| {' | '.join(row)} |\n" for row in [["encoder", *head[1:]], rule, *rows])
