"""Own results as candidates: scores with the noise of questions and, where there are several, of seeds.

Only designs whose evaluations have the credits of single questions are candidates: without them nobody knows
how two scores vary together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.choose.candidates import Candidate, Pool, choice_name, find_untried
from analysis.choose.costs import (
    Cost,
    measured_cost,
    measured_rates,
    merged,
    planned_cost,
)
from analysis.designs import Design, Field, field_of
from analysis.draws import draw_scores
from analysis.errors import AnalysisError
from analysis.findings.evidence import Evidence, Model, own_evidence
from analysis.missing import cell_of, command_of
from analysis.paired import CATEGORY, Target
from analysis.published import AVERAGE
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
    runs = [run for design in field.designs for run in design.runs]
    rates = measured_rates(store, runs) if evidence.scale == "lab" else None
    price = partial(planned_cost, gpu=gpu, rates=rates)
    scores = field.scores(target)
    candidates = [
        _candidate(design, groups[design.label], score, column, alike, store, price)
        for design, score, column in zip(field.designs, scores, draws.T, strict=True)
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
    firsts = [groups[design.label][0] for design in field.designs]
    seed = min(model.seed for model in firsts)
    untried, more = find_untried(
        [{"encoder": model.encoder, **model.design} for model in firsts],
        scores,
        [len(design.runs) for design in field.designs],
        variance,
        lambda levels: command_of(cell_of({**alike, **levels, "seed": seed})),
    )
    return Pool(
        source="own",
        scale=evidence.scale,
        candidates=tuple(candidates),
        draws=draws,
        seed_variance=variance,
        untried=untried,
        price=price,
        notes=(*notes, *more),
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
    used = [each for each in credits if each.benchmark in wanted]
    known = {run for each in used for run in each.runs}
    runs = {
        label: tuple(model.key for model in group if model.key in known) for label, group in groups.items()
    }
    field = field_of(used, [Design(label=label, runs=found) for label, found in runs.items() if found])
    without = [label for label, found in runs.items() if not found]
    level = AVERAGE if measure == AVERAGE else CATEGORY
    target = next((one for one in field.targets if (one.level, one.name) == (level, measure)), None)
    lacking = [*without, *sorted(wanted - {each.benchmark for each in used})]
    notes = [
        *evidence.notes,
        *(f"{name} is left out: it has no credits of single questions" for name in lacking),
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
    price: Callable[[str], Cost | None],
) -> Candidate:
    """Describe one design of all the models in `group`; `alike` is what all rows of the results share."""
    first = group[0]
    low, high = np.clip(np.quantile(column, [0.025, 0.975]), 0.0, 100.0)
    seed = next(number for number in range(len(group) + 1) if number not in {model.seed for model in group})
    command = command_of(cell_of({**alike, "encoder": first.encoder, **first.design, "seed": seed}))
    return Candidate(
        label=design.label,
        estimate=Estimate(score=score, low=float(low), high=float(high)),
        seeds=len(design.runs),
        cost=merged(measured_cost(store, design.runs[0]), price(command)),
        command=command,
        evidence=design.runs,
    )
