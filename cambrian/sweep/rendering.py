"""A plan for people (tables) and for programs (JSON)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from cambrian.data.mixture_table import table_of_plan
from cambrian.recipe import Recipe
from cambrian.sweep.estimate import wall_seconds
from cambrian.sweep.plan import Plan
from cambrian.sweep.pricing import Bill, bill_as_dict

WIDTH = 100
ROWS = 40
"""Runs that are listed one by one."""
REASONS = 6
"""Reasons for leaving points out that are listed one by one."""


def plan_as_dict(
    plan: Plan,
    workers: int = 1,
    left_out: Mapping[str, int] | None = None,
    bill: Bill | None = None,
) -> dict[str, Any]:
    """Describe `plan` in plain JSON values.

    Returns:
        {"runs": [{"name", "axes", "finals": [digest], "pending": stages still to run}],
         "stages": [{"digest", "kind", "label", "inputs": {role: digest},
                     "state": "done" | "shipped" | "pending" | "unneeded",
                     "code_changed": reused although the code changed under the same version,
                     "estimate_seconds": for pending stages, else 0}], inputs before what is made from them,
         "left_out": {reason: points of the grid},
         "price": at scale=paper what `pricing.bill_as_dict` gives, else null,
         "totals": {"runs", "stages", "reused", "pending", "unneeded", "kinds": {kind: the same four},
                    "cpu_seconds": sum of the estimates, "workers", "wall_seconds": on so many workers}}
    """
    kinds = plan.kinds()
    wall = wall_seconds(plan.tasks(), workers)
    by_kind = {
        kind: {"stages": n.unique, "reused": n.reused, "pending": n.pending, "unneeded": n.unneeded}
        for kind, n in kinds.items()
    }
    names = ("stages", "reused", "pending", "unneeded")
    return {
        "runs": [
            {
                "name": run.name,
                "axes": dict(run.axes),
                "finals": list(run.finals),
                "pending": plan.missing(run),
            }
            for run in plan.runs
        ],
        "stages": [
            {
                "digest": digest,
                "kind": stage.kind,
                "label": stage.label,
                "inputs": dict(stage.inputs),
                "state": str(plan.states[digest]),
                "code_changed": digest in plan.changed,
                "estimate_seconds": round(plan.seconds[digest], 2) if digest in plan.seconds else 0,
            }
            for digest, stage in plan.stages.items()
        ],
        "left_out": dict(left_out or {}),
        "price": None if bill is None else bill_as_dict(bill, wall),
        "totals": {
            "runs": len(plan.runs),
            **{name: sum(counts[name] for counts in by_kind.values()) for name in names},
            "kinds": by_kind,
            "cpu_seconds": round(sum(plan.seconds.values()), 2),
            "workers": workers,
            "wall_seconds": round(wall, 2),
        },
    }


def print_plan(
    plan: Plan,
    workers: int,
    left_out: Mapping[str, int] | None = None,
    bill: Bill | None = None,
    file: TextIO | None = None,
) -> None:
    """Print runs, unique stages by kind, what is reused and the estimate of the rest, in 100 columns."""
    console = Console(file=file or sys.stdout, highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.print(_run_table(plan))
    if len(plan.runs) > ROWS:
        console.print(f"... and {len(plan.runs) - ROWS:,} more runs")
    _print_left_out(console, left_out or {})
    console.print(_stage_table(plan, priced=bill is not None))
    if plan.pending and bill is not None:
        _print_bill(console, bill, wall_seconds(plan.tasks(), workers))
    elif plan.pending:
        cpu, wall = sum(plan.seconds.values()), wall_seconds(plan.tasks(), workers)
        noun = "worker" if workers == 1 else "workers"
        console.print(
            f"To run: {len(plan.pending):,} stages, about {duration(cpu)} of one core, "
            f"{duration(wall)} on {workers} {noun}."
        )
    else:
        console.print("Nothing to run: every result is in the store.")
    for digest in [digest for digest in plan.stages if digest in plan.changed][:ROWS]:
        console.print(f"Reused, code changed: {digest[:12]} {plan.stages[digest].label}")


def print_mixtures(recipes: Sequence[Recipe]) -> None:
    """Print how many rows the mixtures of training data take of their sources, if there are any."""
    table = table_of_plan([data for recipe in recipes for data in recipe.data])
    if table is not None:
        console = Console(highlight=False)
        console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
        console.print(table)


def _print_left_out(console: Console, left_out: Mapping[str, int]) -> None:
    for reason, count in list(left_out.items())[:REASONS]:
        console.print(f"left out: {count:,} {'point' if count == 1 else 'points'}: {reason}")
    if len(left_out) > REASONS:
        rest = sum(list(left_out.values())[REASONS:])
        console.print(
            f"left out: {rest:,} more for {len(left_out) - REASONS} other reasons (plan=json has all)"
        )


def duration(seconds: float) -> str:
    """Write a length of time as people say it: 40 s, 12 min, 3.5 h, 2.1 days."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def size(count: float) -> str:
    """Write a number of bytes as people say it: 512 B, 3.1 kB, 46 MB, 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}" if 0 < count < 10 and unit != "B" else f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _run_table(plan: Plan) -> Table:
    table = Table(title=f"{len(plan.runs):,} runs", title_justify="left")
    table.add_column("run", overflow="fold")
    table.add_column("scores", justify="right")
    table.add_column("to run", justify="right")
    for run in plan.runs[:ROWS]:
        missing = plan.missing(run)
        table.add_row(run.name, f"{len(run.finals)}", f"{missing} stages" if missing else "done")
    return table


def _print_bill(console: Console, bill: Bill, wall: float) -> None:
    """Print GPU-hours with their range, whether it fits, disk and wall-clock."""
    own = bill.hardware
    title = f"price on {own.gpus} {own.gpu}, {own.gpus_per_stage} per stage"
    table = Table(title=title, title_justify="left")
    table.add_column("kind")
    for name in ("GPU-hours", "from", "to", "memory each", "disk"):
        table.add_column(name, justify="right")
    table.add_column("fits?")
    for kind, line in bill.lines.items():
        numbers = (f"{hours:,.1f}" for hours in (line.gpu_hours, line.low, line.high))
        verdicts = "; ".join(f"{count:,}: {verdict}" for verdict, count in line.verdicts.items())
        table.add_row(kind, *numbers, size(line.memory_bytes), size(line.disk_bytes), verdicts)
    console.print(table)
    estimate, low, high = bill.total
    console.print(
        f"To run: {estimate:,.0f} GPU-hours ({low:,.0f} to {high:,.0f}), {duration(wall)} of wall-clock, "
        f"{size(bill.disk_bytes)} of disk."
    )
    needs = (f"{n} {name}" for name, n in bill.least_gpus.items() if n is not None)
    console.print(f"Every stage fits on: {', '.join(needs) or 'no type of GPU that is known'}.")
    if bill.features:
        seconds = sum(one.saved_seconds for one in bill.features)
        console.print(
            f"Kept besides: features of frozen encoders, {size(round(bill.features_bytes))}, which saves "
            f"{duration(seconds)} on the GPUs of a stage (runtime.keep_features)."
        )
    for kind, known in bill.corrections.items():
        console.print(
            f"Corrected by {known.stages} finished stages: {kind} takes {known.factor:.2f} of the model."
        )


def _stage_table(plan: Plan, *, priced: bool) -> Table:
    kinds = plan.kinds()
    table = Table(title=f"{len(plan.stages):,} unique stages", title_justify="left")
    table.add_column("kind")
    for name in ("unique", "reused", "code changed", "to run", "" if priced else "estimate (one core)"):
        table.add_column(name, justify="right")
    for kind, counts in kinds.items():
        table.add_row(
            kind,
            f"{counts.unique:,}",
            f"{counts.reused:,}",
            f"{counts.changed:,}" if counts.changed else "",
            f"{counts.pending:,}",
            duration(counts.seconds) if counts.pending and not priced else "",
        )
    return table
