"""The closing table of a session: each run's score per category, with what a blind model gets."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from rich.console import Console
from rich.table import Table

from cambrian.benchmarks.suite import CATEGORIES
from cambrian.sweep.execute import Outcome
from cambrian.sweep.plan import Plan, Run
from cambrian.sweep.store import Store

WIDTH = 110


def print_scores(plan: Plan, store: Store, outcome: Outcome) -> None:
    """Print one row per run: category means in percent, `sighted (blind)`, and their average."""
    console = Console(width=WIDTH, highlight=False)
    scores = {run.name: run_scores(run, store) for run in plan.runs}
    table = Table("run", *CATEGORIES.values(), "average", title="score in %, (blind)", title_justify="left")
    for run in plan.runs:
        own = scores[run.name]
        if own is None:
            table.add_row(run.name, *["-"] * len(CATEGORIES), "no result")
            continue
        cells = [f"{own[c][0]:.1f} ({own[c][1]:.1f})" if c in own else "-" for c in CATEGORIES]
        table.add_row(run.name, *cells, f"{fmean(sighted for sighted, _ in own.values()):.1f}")
    console.print(table)
    chance = next((run_chance(run, store) for run in plan.runs if scores[run.name]), {})
    if chance:
        levels = ", ".join(f"{CATEGORIES[c]} {chance[c]:.1f}" for c in CATEGORIES if c in chance)
        console.print(f"chance: {levels}")
    for digest, reason in outcome.failed.items():
        console.print(f"failed: {plan.stages[digest].label} ({digest[:12]}): {reason}")
    console.print(f"results: {store.root}")


def run_scores(run: Run, store: Store) -> dict[str, tuple[float, float]] | None:
    """Mean score and mean blind score per category; None while any benchmark of the run is missing."""
    return _category_means(run, store, ("score", "blind"))  # pyright: ignore[reportReturnType]


def run_chance(run: Run, store: Store) -> dict[str, float]:
    """Mean score of random guessing per category."""
    return {
        category: values[0] for category, values in (_category_means(run, store, ("chance",)) or {}).items()
    }


def _category_means(run: Run, store: Store, names: tuple[str, ...]) -> dict[str, tuple[float, ...]] | None:
    by_category: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for digest in run.finals:
        artifact = store.find("evaluate", digest)
        if artifact is None:
            return None
        category = artifact.manifest["axes"]["category"]
        by_category[category].append(tuple(float(artifact.metrics[name]) for name in names))
    return {
        category: tuple(fmean(column) for column in zip(*rows, strict=True))
        for category, rows in by_category.items()
    }
