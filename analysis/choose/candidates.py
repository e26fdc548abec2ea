"""What can be chosen among, and what can be tried: scores, their noise, costs and commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.choose.costs import Cost, planned_cost
from analysis.choose.untried import Levels, find_gaps
from analysis.draws import draw_training
from analysis.findings.contrasts import Change
from analysis.findings.evidence import UNSTATED, Model, published_evidence
from analysis.findings.hypotheses import FIGURE_6
from analysis.lines import DESIGN
from analysis.missing import command_of
from analysis.standing import Belief
from analysis.statistics import Estimate
from analysis.variance import Values


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
class Untried:
    """One design that could be run."""

    label: str
    belief: Belief
    command: str
    """Runs it."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """All candidates of one source, and what could be tried beside them."""

    source: str
    scale: str
    candidates: tuple[Candidate, ...]
    draws: Values
    """(draws, candidates)"""
    seed_variance: float
    """Of one run's score by its seed, points squared: what another run is worth is worked out with it."""
    untried: tuple[Untried, ...]
    price: Callable[[str], Cost | None]
    """Plans a command; none if it cannot be run. Only of what is worth a run: thousands may be untried."""
    notes: tuple[str, ...]


def published_pool(measure: str, only: Mapping[str, str], gpu: str) -> Pool:
    """The paper's models that have the choices `only`, each with the noise that its tables show."""
    models = [model for model in published_evidence().models if has_choices(model, only)]
    noise = published_noise(measure)
    scores = np.array([model.means[measure] for model in models])
    price = partial(planned_cost, gpu=gpu)
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
                cost=price(command) or Cost(),
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
    stated = [model for model in models if UNSTATED not in model.design.values()]
    untried, more = find_untried(
        [{"encoder": model.encoder, **model.design} for model in stated],
        [model.means[measure] for model in stated],
        [1] * len(stated),
        noise**2,
        lambda levels: command_of({**levels, "scale": "paper", "seed": "0"}),
    )
    return Pool(
        source="published",
        scale="paper",
        candidates=tuple(candidates),
        draws=scores + draw_training(noise**2, [1] * len(models)),
        seed_variance=noise**2,
        untried=untried,
        price=price,
        notes=(*notes, *more),
    )


def find_untried(
    tried: Sequence[Levels],
    scores: Sequence[float],
    seeds: Sequence[int],
    noise: float,
    command: Callable[[Levels], str],
) -> tuple[tuple[Untried, ...], list[str]]:
    """Describe the gaps of the grid that `tried` spans (arguments of `find_gaps`), with a note on the others.

    `command` gives the command line that runs a design.
    """
    gaps = find_gaps(tried, scores, seeds, noise)
    found = tuple(
        Untried(label=choice_name(levels["encoder"], levels), belief=belief, command=command(levels))
        for levels, belief in gaps.beliefs
    )
    notes = [f"{gaps.unknown} untried combinations are not predicted: {gaps.why}"] if gaps.unknown else []
    return found, notes


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
