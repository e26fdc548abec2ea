"""Own results as candidates: scores with the noise of questions and, where there are several, of seeds."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.choose.candidates import Candidate, Field, choice_name
from analysis.choose.costs import measured_cost, merged, planned_cost
from analysis.findings.evidence import AVERAGE, Evidence, Model, own_evidence
from analysis.missing import cell_of, command_of
from analysis.standing import DRAWS, Draws
from analysis.statistics import Estimate, mean
from analysis.units import Credits


def own_field(frame: pd.DataFrame, credits: Sequence[Credits], store: Path, measure: str, gpu: str) -> Field:
    """Own results of one scale (columns of results.Row); controls are no candidates.

    Args:
        frame: evaluations.
        credits: of single questions; a model without them has the noise of its benchmarks' intervals.
        store: directory with the manifests that tell what a model cost.
        measure: a category, or the average.
        gpu: type that planned GPU-hours are of.
    """
    evidence = own_evidence(frame)
    groups: dict[tuple[str, ...], list[Model]] = defaultdict(list)
    for model in evidence.models:
        if model.supervision != "control" and measure in model.means:
            groups[(model.encoder, *model.design.values())].append(model)
    variance = _training_variance([[m.means[measure] for m in group] for group in groups.values()])
    models = [model for group in groups.values() for model in group]
    drawn = dict(
        zip((m.key for m in models), _draws(models, frame, credits, evidence, measure).T, strict=True)
    )
    rng = np.random.default_rng(1)
    columns = [
        np.mean([drawn[model.key] for model in group], axis=0)
        + rng.normal(0.0, np.sqrt(variance / len(group)), size=DRAWS)
        for group in groups.values()
    ]
    alike = {name: frame[name].iloc[0] for name in ("proxy", "answering") if len(frame)}
    candidates = [
        _candidate(group, column, {"scale": evidence.scale, **alike}, store, measure, gpu)
        for group, column in zip(groups.values(), columns, strict=True)
    ]
    notes = list(evidence.notes)
    if candidates and not variance:
        variance = mean([float(np.var(column)) for column in columns])
        notes.append(
            "no design has several seeds: how another seed would differ is in none of these numbers, and the "
            "worth of a run supposes that it would as much as other questions do"
        )
    return Field(
        source="own",
        scale=evidence.scale,
        candidates=tuple(candidates),
        draws=np.column_stack(columns) if columns else np.empty((DRAWS, 0)),
        training_variance=variance,
        notes=tuple(notes),
    )


def _candidate(
    group: Sequence[Model], column: Draws, alike: Mapping[str, Any], store: Path, measure: str, gpu: str
) -> Candidate:
    """Describe one design; `alike` is what all rows of the results share."""
    first = group[0]
    low, high = np.quantile(column, [0.025, 0.975])
    row = {**alike, "encoder": first.encoder, **first.design}
    seed = next(number for number in range(len(group) + 1) if number not in {model.seed for model in group})
    command = command_of(cell_of({**row, "seed": seed}))
    words = shlex.split(command)[2:]
    cost = merged(measured_cost(store, first.key), planned_cost(words, gpu))
    return Candidate(
        label=choice_name(first.encoder, first.design),
        estimate=Estimate(
            score=mean([model.means[measure] for model in group]), low=float(low), high=float(high)
        ),
        seeds=len(group),
        cost=cost,
        command=command,
        evidence=tuple(model.key for model in group),
    )


def _training_variance(groups: Sequence[Sequence[float]]) -> float:
    """Variance of one run around the mean of its seeds, pooled over designs; 0 if none has two seeds."""
    several = [np.array(group) for group in groups if len(group) > 1]
    if not several:
        return 0.0
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in several)
    return squares / sum(len(group) - 1 for group in several)


def _draws(
    models: Sequence[Model],
    frame: pd.DataFrame,
    credits: Sequence[Credits],
    evidence: Evidence,
    measure: str,
) -> Draws:
    """Scores (draws, models) with questions drawn anew, the same ones for all models that were asked them."""
    rng = np.random.default_rng(0)
    columns = {model.key: column for column, model in enumerate(models)}
    wanted = [names for category, names in evidence.benchmarks.items() if measure in (category, AVERAGE)]
    total = np.zeros((DRAWS, len(models)))
    for names in wanted:
        for name in names:
            part = _benchmark_draws(rng, name, columns, frame, credits)
            total += part / (len(names) * len(wanted))
    return total


def _benchmark_draws(
    rng: np.random.Generator,
    name: str,
    columns: Mapping[str, int],
    frame: pd.DataFrame,
    credits: Sequence[Credits],
) -> Draws:
    rows = frame[(frame["benchmark"] == name) & frame["run"].isin(list(columns))]
    drawn = np.empty((DRAWS, len(columns)))
    deviation = ((rows["high"] - rows["low"]) / (2 * 1.96)).to_numpy()
    places = [columns[run] for run in rows["run"]]
    drawn[:, places] = rng.normal(rows["score"].to_numpy(), deviation, size=(DRAWS, len(rows)))
    for one in (each for each in credits if each.benchmark == name):
        asked = [index for index, run in enumerate(one.runs) if run in columns]
        if asked:
            totals = one.totals(one.sighted[asked])  # (models, clusters)
            count = totals.shape[1]
            weights = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)
            drawn[:, [columns[one.runs[index]] for index in asked]] = weights @ totals.T
    return drawn
