"""Own results as candidates: scores with the noise of questions and, where there are several, of seeds.

Only designs whose evaluations have the credits of single questions are candidates: without them nobody knows
how two scores vary together.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.choose.candidates import Candidate, Pool, choice_name
from analysis.choose.costs import grid_words, measured_cost, merged, planned_cost
from analysis.designs import Design, Field, field_of
from analysis.draws import draw_scores
from analysis.errors import AnalysisError
from analysis.findings.evidence import AVERAGE, Evidence, Model, own_evidence
from analysis.paired import CATEGORY, Target
from analysis.remedies import command_of
from analysis.statistics import Estimate, mean
from analysis.units import Credits
from analysis.variance import Values, seed_variance

FEW = 4
"""Degrees of freedom below which how training varies is badly known."""


def own_pool(frame: pd.DataFrame, credits: Sequence[Credits], store: Path, measure: str, gpu: str) -> Pool:
    """Own results of one scale (columns of results.Row); controls are no candidates.

    Args:
        frame: evaluations.
        credits: of single questions.
        store: directory with the manifests that tell what a model cost.
        measure: a category, or the average.
        gpu: type that planned GPU-hours are of.

    Raises:
        AnalysisError: if there is no candidate.
    """
    evidence = own_evidence(frame)
    groups: dict[str, list[Model]] = defaultdict(list)
    for model in evidence.models:
        if model.supervision != "control" and measure in model.means:
            groups[choice_name(model.encoder, model.design)].append(model)
    field, target, notes = _field(groups, credits, evidence, measure)
    (draws,) = draw_scores(field, [target])
    alike = {"scale": evidence.scale, **{name: frame[name].iloc[0] for name in ("proxy", "answering")}}
    candidates = [
        _candidate(design, groups[design.label], score, column, alike, store, gpu)
        for design, score, column in zip(field.designs, field.scores(target), draws.T, strict=True)
    ]
    variance, _, freedom = seed_variance(target.terms, field.rows)
    if not freedom:
        variance = mean([float(np.var(column)) for column in draws.T])
        notes.append(
            "no design has several seeds: how another seed would differ is in none of these numbers, and the "
            "worth of a run supposes that it would as much as other questions do"
        )
    elif freedom < FEW:
        notes.append(
            f"how training varies is known from {freedom} repeated run{'s' if freedom > 1 else ''} alone, so "
            "that intervals are wide: a second seed of any design narrows them"
        )
    return Pool(
        source="own",
        scale=evidence.scale,
        candidates=tuple(candidates),
        draws=draws,
        seed_variance=variance,
        notes=tuple(notes),
    )


def _field(
    groups: Mapping[str, Sequence[Model]], credits: Sequence[Credits], evidence: Evidence, measure: str
) -> tuple[Field, Target, list[str]]:
    """Designs by label that answered the same questions, the score to choose by, and what is left out."""
    wanted = {
        name
        for category, names in evidence.benchmarks.items()
        if measure in (category, AVERAGE)
        for name in names
    }
    designs = [
        Design(label=label, runs=tuple(model.key for model in group)) for label, group in groups.items()
    ]
    field = field_of([each for each in credits if each.benchmark in wanted], designs)
    level = AVERAGE if measure == AVERAGE else CATEGORY
    target = next((one for one in field.targets if (one.level, one.name) == (level, measure)), None)
    lacking = sorted(wanted - {each.benchmark for each in credits})
    notes = [
        *evidence.notes,
        *([f"without credits of single questions, left out: {', '.join(lacking)}"] if lacking else []),
        *field.left_out,
    ]
    if target is None or not field.designs:
        why = "\n".join(f"  - {note}" for note in notes)
        raise AnalysisError(f"no model but controls has results with credits of this category\n{why}".strip())
    return field, target, notes


def _candidate(
    design: Design,
    group: Sequence[Model],
    score: float,
    column: Values,
    alike: Mapping[str, Any],
    store: Path,
    gpu: str,
) -> Candidate:
    """Describe one design of all the models in `group`; `alike` is what all rows of the results share."""
    first = group[0]
    low, high = np.clip(np.quantile(column, [0.025, 0.975]), 0.0, 100.0)
    row = {**alike, "encoder": first.encoder, **first.design}
    seed = next(number for number in range(len(group) + 1) if number not in {model.seed for model in group})
    extra = grid_words(first.encoders, first.design["connector"], alike["scale"])
    command = shlex.join([*shlex.split(command_of({**row, "seed": seed})), *extra])
    words = shlex.split(command)[2:]
    return Candidate(
        label=design.label,
        estimate=Estimate(score=score, low=float(low), high=float(high)),
        seeds=len(design.runs),
        cost=merged(measured_cost(store, design.runs[0]), planned_cost(words, gpu)),
        command=command,
        evidence=design.runs,
    )
