"""What unfreezing the encoder changes: scores of two models that differ in that alone, in per cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.errors import AnalysisError
from analysis.lines import DESIGN, Line
from analysis.statistics import Estimate, mean_of_benchmarks, mean_of_models, percent_change
from analysis.style import LOOKS


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row: a pair of models that differ in freezing alone, or the mean of several pairs."""

    label: str
    supervision: str
    source: str
    cells: Mapping[str, Estimate]
    """Benchmark -> change in per cent; absent where one of the two has no score, or the frozen one has 0."""
    pairs: int
    runs: tuple[str, ...] = ()

    def mean(self, ids: Sequence[str]) -> Estimate | None:
        """Of the cells of `ids`; none if one is absent."""
        if not ids or any(name not in self.cells for name in ids):
            return None
        return mean_of_benchmarks([self.cells[name] for name in ids])


def find_changes(lines: Sequence[Line]) -> list[Change]:
    """Every pair of `lines` that differ in freezing alone, by supervision.

    Raises:
        AnalysisError: if one of them has several frozen models to be compared with.
    """
    frozen = _frozen_of_pairs(lines)
    changes = []
    for line in lines:
        before = frozen.get(pair_of(line))
        if line.design["vision"] == "frozen" or before is None:
            continue
        cells = {
            name: change
            for name, point in line.scores.items()
            if name in before.scores
            and (change := percent_change(before.scores[name].estimate, point.estimate)) is not None
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


def _frozen_of_pairs(lines: Sequence[Line]) -> dict[tuple[str, ...], Line]:
    unfrozen = {pair_of(line) for line in lines if line.design["vision"] != "frozen"}
    found: dict[tuple[str, ...], Line] = {}
    twice: list[str] = []
    for line in lines:
        pair = pair_of(line)
        if line.design["vision"] == "frozen" and pair in unfrozen:
            twice += [found[pair].label, line.label] if pair in found else []
            found[pair] = line
    if twice:
        raise AnalysisError(
            f"several frozen models for one pair: {', '.join(dict.fromkeys(twice))}; choose among them with "
            "--runs"
        )
    return found


def mean_change(changes: Sequence[Change], label: str, supervision: str) -> Change:
    """The mean of `changes`, benchmark by benchmark, over those that have a cell."""
    cells = {}
    for name in dict.fromkeys(name for one in changes for name in one.cells):
        cells[name] = mean_of_models([one.cells[name] for one in changes if name in one.cells])
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
