"""The closing table of a session: each run's score per category, blind, and what looking is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from cambrian.benchmarks.suite import CATEGORIES, PER_POINT
from cambrian.stages.base import Artifact
from cambrian.sweep.execute import Outcome
from cambrian.sweep.plan import Plan, Run
from cambrian.sweep.stage_log import log_path
from cambrian.sweep.store import Store

WIDTH = 120
METRICS = ("score", "blind", "chance")

Means = dict[str, dict[str, float]]
"""Category -> metric -> mean over the category's benchmarks, in percent."""


def print_scores(plan: Plan, store: Store, outcome: Outcome) -> None:
    """Print one row per run: category means in percent, `sighted (blind)`, their mean and vision gain."""
    console = Console(width=WIDTH, highlight=False)
    columns = ("run", *CATEGORIES.values(), "average", "vision gain")
    table = Table(*columns, title="score in %, (blind)", title_justify="left")
    chance: Means = {}
    parts: list[str] = []
    unscored: dict[str, str] = {}
    for run in plan.runs:
        evaluations = find_evaluations(run, store)
        if evaluations is None:
            table.add_row(run.name, *["-"] * len(CATEGORIES), "no result", "-")
            continue
        unscored |= dict(map(_unscored, filter(is_unscored, evaluations)))
        means = category_means(evaluations)
        if not means:
            table.add_row(run.name, *["-"] * len(CATEGORIES), "not scored", "-")
            continue
        chance = means
        lacks = partial(evaluations)
        parts += [f"{run.name}: {line}" for line in lacks]
        cells = [
            f"{means[name]['score']:.1f} ({means[name]['blind']:.1f})" if name in means else "-"
            for name in CATEGORIES
        ]
        score, blind = (fmean(mean[name] for mean in means.values()) for name in ("score", "blind"))
        name = f"{run.name} (partial)" if lacks else run.name
        table.add_row(name, *cells, f"{score:.1f}", f"{score - blind:+.1f}")
    if chance:
        guessed = [f"{chance[name]['chance']:.1f}" if name in chance else "-" for name in CATEGORIES]
        table.add_row("chance", *guessed, f"{fmean(mean['chance'] for mean in chance.values()):.1f}", "")
    console.print(table)
    lines = [f"part of a benchmark: {line}" for line in parts]
    lines += [f"not scored: {name}: {why}" for name, why in unscored.items()]
    lines += [f"no result: {name}: {reason}" for name, reason in outcome.unfinished.items()]
    lines += failure_lines(
        (failure.failure_class, plan.stages[digest].label, failure.reason, log_path(store, digest))
        for digest, failure in outcome.failed.items()
    )
    for line in [*lines, f"results: {store.place}"]:
        console.print(line, markup=False, soft_wrap=True)


def failure_lines(rows: Iterable[tuple[str, str, str, Path]]) -> list[str]:
    """Write one line per failure, of its class, stage, message and log; the first two in columns."""
    listed = sorted(rows)
    first = max((len(what) for what, *_ in listed), default=0)
    second = max((len(label) for _, label, *_ in listed), default=0)
    return [
        f"failed: {what:{first}}  {label:{second}}  {message}  log: {log}"
        for what, label, message, log in listed
    ]


def find_evaluations(run: Run, store: Store) -> list[Artifact] | None:
    """The results of `run`, benchmark by benchmark; None while any of them is missing."""
    found = [store.find("evaluate", digest) for digest in run.finals]
    return None if None in found else [artifact for artifact in found if artifact is not None]


def partial(evaluations: Sequence[Artifact]) -> list[str]:
    """Name the scores that are not those of a whole benchmark, and say why."""
    lines = []
    for artifact in evaluations:
        metrics = artifact.metrics
        if "total" not in metrics:
            continue  # the lab has no end of questions
        whys = []
        if metrics["n"] < metrics["total"]:
            whys.append(f"{metrics['n']:,} of {metrics['total']:,} questions")
        if metrics["unanswered"]:
            whys.append(f"{metrics['unanswered']:,} without a picture that can be shown")
        if whys:
            lines.append(f"{artifact.manifest['axes']['benchmark']}: {', '.join(whys)}")
    return lines


def is_unscored(evaluation: Artifact) -> bool:
    """Whether it holds answers alone, of a benchmark that cannot be scored here."""
    return "unscored" in evaluation.metrics


def _unscored(evaluation: Artifact) -> tuple[str, str]:
    return evaluation.manifest["axes"]["benchmark"], evaluation.metrics["unscored"]


def category_means(evaluations: Sequence[Artifact]) -> Means:
    """Average the benchmarks of each category, of those that have a score."""
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    for artifact in evaluations:
        if is_unscored(artifact):
            continue
        axes = artifact.manifest["axes"]
        per_point = PER_POINT.get(axes["benchmark"], 1.0)
        rows[axes["category"]].append({name: float(artifact.metrics[name]) / per_point for name in METRICS})
    return {
        category: {name: fmean(row[name] for row in own) for name in METRICS}
        for category, own in rows.items()
    }
