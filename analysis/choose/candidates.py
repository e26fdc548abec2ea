"""What can be chosen among: designs with a score, its noise, a cost and the command for one more run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.choose.costs import Cost, planned_cost
from analysis.findings.contrasts import Change
from analysis.findings.evidence import UNSTATED, Model, published_evidence
from analysis.findings.hypotheses import FIGURE_6
from analysis.lines import DESIGN
from analysis.missing import command_of
from analysis.standing import DRAWS, Draws
from analysis.statistics import Estimate


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One design that was trained and evaluated."""

    label: str
    estimate: Estimate
    seeds: int
    cost: Cost
    command: str
    """Makes one more run of it."""
    evidence: tuple[str, ...]
    """Digests of its models, or FILE:LINE."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """All candidates of one source."""

    source: str
    scale: str
    candidates: tuple[Candidate, ...]
    draws: Draws
    """(draws, candidates)"""
    training_variance: float
    """Of one run by its seed, squared points: what another seed is worth is worked out with it."""
    notes: tuple[str, ...]


def published_field(measure: str, only: Mapping[str, str], gpu: str) -> Field:
    """The paper's models that have the choices `only`, each with the noise that its tables show."""
    models = [model for model in published_evidence().models if has_choices(model, only)]
    noise = published_noise(measure)
    scores = np.array([model.means[measure] for model in models])
    draws = np.random.default_rng(0).normal(scores, noise, size=(DRAWS, len(models)))
    candidates = []
    for model in models:
        design = {**model.design, **{a: c for a, c in FIGURE_6.items() if model.design[a] == UNSTATED}}
        command = command_of({"encoder": model.encoder, **design, "scale": "paper", "seed": "0"})
        candidates.append(
            Candidate(
                label=choice_name(model.encoder, model.design),
                estimate=Estimate(
                    score=model.means[measure],
                    low=model.means[measure] - 1.96 * noise,
                    high=model.means[measure] + 1.96 * noise,
                ),
                seeds=1,
                cost=planned_cost(shlex.split(command)[2:], gpu),
                command=command,
                evidence=(model.key,),
            )
        )
    notes = [
        f"the paper trained each model once; {noise:.2f} points are taken as the noise of one: how the gain "
        "by 1.2M over 0.5M captions spreads over language-supervised encoders, real differences included"
    ]
    if any(UNSTATED in model.design.values() for model in models):
        notes.append(f"'{UNSTATED}': the paper does not print it; priced as {' '.join(FIGURE_6.values())}")
    return Field(
        source="published",
        scale="paper",
        candidates=tuple(candidates),
        draws=draws,
        training_variance=noise**2,
        notes=tuple(notes),
    )


def published_noise(measure: str) -> float:
    """Standard deviation of one published score, from how the gain by a larger adapter set differs.

    The robust spread (1.4826 times the median distance to the median) of the differences between 1.2M and
    0.5M adapter data, divided by sqrt(2), since a difference has the noise of two models. Language-supervised
    encoders alone: many of the others read no text at all, and what is at the floor varies little.
    """
    models = [model for model in published_evidence().models if model.supervision == "language"]
    gain = Change(before={"adapter": "0.5M"}, after={"adapter": "1.2M"})
    gains = np.array([unit.value for unit in gain.units(models, measure)])
    return float(1.4826 * np.median(np.abs(gains - np.median(gains))) / np.sqrt(2))


def choice_name(encoder: str, design: Mapping[str, str]) -> str:
    """Short name of a design; the LLM is named where it is not the paper's usual one."""
    llm = [] if design["llm"] in ("vicuna_7b", "tiny") else [design["llm"]]
    return " ".join([encoder, *(design[axis] for axis in DESIGN if axis != "llm"), *llm])


def has_choices(model: Model, only: Mapping[str, str]) -> bool:
    """Whether a published model has all the choices `only`."""
    known = {"encoder": model.encoder, "scale": "paper", **model.design}
    return all(known.get(axis) == choice for axis, choice in only.items())
