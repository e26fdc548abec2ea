"""What unfreezing the encoder changes: scores of two models that differ in that alone, in per cent.

A change is to first order a weighted sum of the two scores, after and before,

    100 (after / before - 1),  with weights 100 / before  and  - 100 after / before^2,

and so are means of changes. Intervals come from the answers of all models in them to the same questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.answers import UNKNOWN, Answers, Sum, add, mean_of
from analysis.lines import DESIGN, Line
from analysis.style import LOOKS

WIDEST = 0.5
"""Of the score before: where its interval reaches farther, a change is too far from linear for one."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row: a pair of models that differ in freezing alone, or the mean of several pairs."""

    label: str
    supervision: str
    source: str
    cells: Mapping[str, Sum]
    """Benchmark -> change in per cent; absent where one of the two has no score, or the frozen one has 0."""
    pairs: int
    runs: tuple[str, ...] = ()

    def mean(self, ids: Sequence[str]) -> Sum | None:
        """Of the cells of `ids`; none if one is absent."""
        if not ids or any(name not in self.cells for name in ids):
            return None
        return mean_of([self.cells[name] for name in ids])


def find_changes(lines: Sequence[Line], answers: Answers) -> list[Change]:
    """Every pair of `lines` that differ in freezing alone, by supervision, with the `answers` of own ones."""
    frozen = {pair_of(line): line for line in lines if line.design["vision"] == "frozen"}
    changes = []
    for line in lines:
        before = frozen.get(pair_of(line))
        if line.design["vision"] == "frozen" or before is None:
            continue
        cells = {
            name: _percent(before, line, name, answers)
            for name in line.scores
            if name in before.scores and before.scores[name].estimate.score
        }
        changes.append(
            Change(
                label=_label(line, lines),
                supervision=line.supervision,
                source=line.source,
                cells=cells,
                pairs=1,
                runs=(*before.runs, *line.runs),
            )
        )
    kinds = list(LOOKS)
    return sorted(changes, key=lambda one: (one.source != "published", kinds.index(one.supervision)))


def _percent(before: Line, after: Line, name: str, answers: Answers) -> Sum:
    """Of unknown answers where the score before is not known well enough for an interval."""
    first, last = (
        answers.score(line.runs, name, line.scores[name].estimate.score) for line in (before, after)
    )
    change = percent_change(first, last)
    low = before.scores[name].estimate.low
    if low is None or first.value - low > WIDEST * first.value:
        return Sum(value=change.value, weights={(UNKNOWN, name): 1.0})
    return change


def percent_change(before: Sum, after: Sum) -> Sum:
    """Of `before`; to first order it is a weighted sum."""
    ratio = after.value / before.value
    linear = add(after, before.times(-ratio)).times(100 / before.value)
    return Sum(value=100 * (ratio - 1), weights=linear.weights)


def mean_change(changes: Sequence[Change], label: str, supervision: str) -> Change:
    """The mean of `changes`, benchmark by benchmark, over those that have a cell."""
    cells = {}
    for name in dict.fromkeys(name for one in changes for name in one.cells):
        cells[name] = mean_of([one.cells[name] for one in changes if name in one.cells])
    return Change(
        label=f"{label} ({len(changes)})",
        supervision=supervision,
        source=changes[0].source,
        cells=cells,
        pairs=len(changes),
    )


def pair_of(line: Line) -> tuple[str, ...]:
    """What the two models of a pair share."""
    axes = [axis for axis in DESIGN if axis != "vision"]
    return (line.source, line.encoder, line.scale, *(line.design[axis] for axis in axes))


def _label(line: Line, lines: Sequence[Line]) -> str:
    """Encoder, and what tells this pair from others of the same source."""
    peers = [other for other in lines if other.source == line.source]
    unfrozen = [other for other in peers if other.design["vision"] != "frozen"]
    words = [line.encoder]
    for axis in DESIGN:
        common = line.design[axis] == unfrozen[0].design[axis] or axis == "vision"
        if len({other.design[axis] for other in unfrozen}) > 1 and (line.source == "own" or not common):
            words.append(line.design[axis])
    return " ".join(
        [*words, *(["(own)"] if len({other.source for other in lines}) > 1 and line.source == "own" else [])]
    )


def without_percent(lines: Sequence[Line]) -> list[str]:
    """Benchmarks on which the frozen one of a pair scores 0: there is no per cent of it, no mean has them."""
    unfrozen = {pair_of(line) for line in lines if line.design["vision"] != "frozen"}
    frozen = [line for line in lines if line.design["vision"] == "frozen" and pair_of(line) in unfrozen]
    zeros = {name for line in frozen for name, point in line.scores.items() if not point.estimate.score}
    return sorted(zeros)
