"""Runs grouped into designs: all axes but the seed equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.lines import DESIGN
from analysis.paired import Target, targets_of
from analysis.units import Credits
from analysis.variance import score_of, spread_of

AXES = ("encoder", *DESIGN)


@dataclass(frozen=True, kw_only=True)
class Design:
    """One design with its seeds."""

    label: str
    """The encoder and the choices that differ among the designs."""
    runs: tuple[str, ...]
    """Digests of the models, by seed."""


def designs_of(frame: pd.DataFrame) -> list[Design]:
    """Designs in `frame` (columns of results.Row), sorted by label.

    Several models of one seed, which differ in other settings, are a design each.
    """
    models = frame[["run", "seed", *AXES]].drop_duplicates().sort_values(["seed", "run"])
    varying = [axis for axis in AXES if models[axis].nunique() > 1] or ["encoder"]
    found: list[Design] = []
    for _, group in models.groupby(list(AXES), sort=True):
        label = " ".join(str(group[axis].iloc[0]) for axis in varying)
        if group["seed"].duplicated().any():
            found += [Design(label=f"{label} {run[:8]}", runs=(run,)) for run in group["run"]]
        else:
            found.append(Design(label=label, runs=tuple(group["run"])))
    return sorted(found, key=lambda design: design.label)


@dataclass(frozen=True, kw_only=True)
class Field:
    """Designs that answered the same questions of the same benchmarks."""

    designs: tuple[Design, ...]
    rows: tuple[tuple[int, ...], ...]
    """Of each design, the rows of its seeds in every spread of the targets."""
    targets: tuple[Target, ...]
    left_out: tuple[str, ...]
    """What is not in it, one sentence each."""

    def scores(self, target: Target) -> list[float]:
        """Score of each design by `target`, the mean over its seeds."""
        return [score_of(target.terms, rows) for rows in self.rows]


def field_of(credits: Sequence[Credits], designs: Sequence[Design]) -> Field:
    """Take of each benchmark the questions that most runs answered, and the designs that answered them all.

    A benchmark of which fewer than half of the runs answered those questions is left out, so that a new
    benchmark of a few runs does not leave out all others.
    """
    runs = {run for design in designs for run in design.runs}
    largest: dict[str, Credits] = {}
    for each in credits:
        known = largest.get(each.benchmark)
        if known is None or len(runs & set(each.runs)) > len(runs & set(known.runs)):
            largest[each.benchmark] = each
    answered = {name: runs & set(each.runs) for name, each in largest.items()}
    few = [name for name, found in answered.items() if 2 * len(found) < len(runs)]
    used = {name: each for name, each in largest.items() if name not in few}
    whole = set.intersection(*(answered[name] for name in used)) if used else set()
    kept = [Design(label=one.label, runs=tuple(run for run in one.runs if run in whole)) for one in designs]
    kept = [design for design in kept if design.runs]
    order = [run for design in kept for run in design.runs]
    spreads = [(each, spread_of(each, [each.runs.index(run) for run in order])) for each in used.values()]
    ends = [sum(len(one.runs) for one in kept[: index + 1]) for index in range(len(kept))]
    rows = [tuple(range(end - len(one.runs), end)) for one, end in zip(kept, ends, strict=True)]
    notes = [f"{name} is left out: most runs did not answer the same questions of it" for name in few]
    lost = len(runs) - len(order)
    if lost:
        notes.append(
            f"{lost} of {len(runs)} runs are left out: no credits of the same questions as the others"
        )
    return Field(
        designs=tuple(kept), rows=tuple(rows), targets=tuple(targets_of(spreads)), left_out=tuple(notes)
    )
