"""A choice as text and as plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from analysis.choose.choice import Choice, Ranked
from analysis.draws import DRAWS
from analysis.published import AVERAGE, CATEGORIES
from analysis.standing import Belief
from analysis.text import align

SHOWN = 10
"""Candidates that are listed even if they can be told apart from the best."""


def as_text(
    choices: Sequence[Choice], measure: str, budget: Mapping[str, float], runs: int, *, look: str = ""
) -> str:
    """Every source by itself: the best, who may be as good, and the `runs` that would tell most."""
    return "\n\n\n".join(
        (look if choice.source == "own" else "") + _one(choice, measure, budget, runs) for choice in choices
    )


def as_dict(choices: Sequence[Choice], measure: str, budget: Mapping[str, float]) -> dict[str, Any]:
    """All that is known, in plain JSON values."""
    return {
        "category": measure,
        "budget": dict(budget),
        "choices": [
            {
                "source": choice.source,
                "scale": choice.scale,
                "candidates": [_candidate_as_dict(one) for one in choice.ranked],
                "left_out": dict(choice.left_out),
                "next_runs": [
                    {
                        "label": run.label,
                        "worth": run.worth,
                        "gpu_hours": run.cost.gpu_hours,
                        "command": run.command,
                        "predicted": run.predicted and _belief_as_dict(run.predicted),
                    }
                    for run in choice.next_runs
                ],
                "notes": list(choice.notes),
            }
            for choice in choices
        ],
    }


def _one(choice: Choice, measure: str, budget: Mapping[str, float], runs: int) -> str:
    what = "average of the four categories" if measure == AVERAGE else CATEGORIES[measure]
    limits = ", ".join(f"{name} at most {limit:,.10g}" for name, limit in budget.items()) or "no limit"
    lines = [f"{_whose(choice)}; {what}; {limits}"]
    if not choice.ranked:
        return "\n".join([*lines, "nothing is within the budget", *_left_out(choice)])
    best = choice.ranked[0]
    sure = f"first in {_percent(best.standing.first)} of {DRAWS:,} draws"
    lines += [f"best supported: {best.candidate.label} ({sure})", "", *_table(choice), *_left_out(choice), ""]
    lines += _doubt(choice)
    lines += _next(choice, runs)
    return "\n".join([*lines, *([""] if choice.notes else []), *(f"note: {note}" for note in choice.notes)])


def _next(choice: Choice, runs: int) -> list[str]:
    shown = choice.next_runs[:runs]
    if not shown:
        return ["no further run is expected to change the choice"] if len(choice.ranked) > 1 else []
    lines = ["", f"what to run next, by the expected gain of the choice for its {_hours(choice)}:"]
    for number, run in enumerate(shown, 1):
        hours = run.cost.gpu_hours
        cost = "cost unknown" if hours is None else f"{_cost(hours)} {_hours(choice)}"
        guess = "" if run.predicted is None else f", untried, predicted {_belief(run.predicted)}"
        lines.append(f"  {number}. {run.worth:+.3f} points, {cost}{guess}: {run.command}")
    if any(run.predicted for run in shown):
        lines.append("  untried: the sum of what its choices are worth on average; +- one standard deviation")
    return lines


def _belief(belief: Belief) -> str:
    return f"{belief.mean:.1f} +- {math.sqrt(belief.variance):.1f}"


def _belief_as_dict(belief: Belief) -> dict[str, float]:
    return {"score": belief.mean, "deviation": math.sqrt(belief.variance)}


def _whose(choice: Choice) -> str:
    if choice.source == "published":
        return "Published models"
    return "A result of the lab" if choice.scale == "lab" else f"Own results at scale={choice.scale}"


def _hours(choice: Choice) -> str:
    return "hours of one process" if choice.scale == "lab" else "GPU-hours"


def _table(choice: Choice) -> list[str]:
    hours = "hours" if choice.scale == "lab" else "GPU-hours"
    rows = [["", "candidate", "score", "first", "behind the best", "tokens", "parameters", hours]]
    for place, one in enumerate(choice.ranked):
        if place < SHOWN or not one.standing.is_distinguishable:
            rows.append(_row(one, is_best=place == 0))
    text = align(rows).split("\n")
    hidden = len(choice.ranked) - len(rows) + 1
    return [*text, *([f"   and {hidden} more, all of them told apart from the best"] if hidden else [])]


def _row(one: Ranked, *, is_best: bool) -> list[str]:
    candidate, standing, estimate = one.candidate, one.standing, one.candidate.estimate
    cost = candidate.cost
    return [
        "*" if is_best else "" if standing.is_distinguishable else "~",
        candidate.label,
        f"{estimate.score:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]",
        _percent(standing.first),
        "" if is_best else f"{standing.behind:.1f} [{standing.behind_low:.1f}, {standing.behind_high:.1f}]",
        "-" if cost.visual_tokens is None else f"{cost.visual_tokens:,}",
        "-" if cost.parameters is None else f"{cost.parameters / 1e9:.2f} B",
        "-" if cost.gpu_hours is None else _cost(cost.gpu_hours),
    ]


def _left_out(choice: Choice) -> list[str]:
    return [f"left out: {count} with {reason}" for reason, count in choice.left_out.items()]


def _doubt(choice: Choice) -> list[str]:
    if len(choice.ranked) == 1:
        return ["there is nothing to compare it with"]
    rivals = len(choice.rivals)
    if not rivals:
        return ["* is better than every other one beyond the noise that is known"]
    others = "1 other" if rivals == 1 else f"{rivals} others"
    return [f"* cannot be told apart from {others} (~): the interval of the difference holds 0"]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _cost(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def _candidate_as_dict(one: Ranked) -> dict[str, Any]:
    candidate, standing = one.candidate, one.standing
    return {
        "label": candidate.label,
        "score": candidate.estimate.score,
        "low": candidate.estimate.low,
        "high": candidate.estimate.high,
        "seeds": candidate.seeds,
        "first": standing.first,
        "behind": {"value": standing.behind, "low": standing.behind_low, "high": standing.behind_high},
        "is_distinguishable": standing.is_distinguishable,
        "cost": asdict(candidate.cost),
        "command": candidate.command,
        "evidence": list(candidate.evidence),
    }
