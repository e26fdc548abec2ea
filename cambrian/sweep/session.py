"""One session at the keyboard: experiments in, a plan shown or executed, scores out, an exit code."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cambrian.config import Study, read_study
from cambrian.errors import UserError
from cambrian.hardware import find_gpu
from cambrian.sweep.bucket_store import open_store
from cambrian.sweep.cost import price
from cambrian.sweep.execute import execute, worker_count
from cambrian.sweep.feature_plan import worth_keeping
from cambrian.sweep.fidelity import print_fidelity
from cambrian.sweep.garbage import collect
from cambrian.sweep.grid import expand, expand_sweeps, sweep_names
from cambrian.sweep.halving import halve
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.picture import draw_plan
from cambrian.sweep.plan import Plan, Run, make_plan, name_apart
from cambrian.sweep.preflight import preflight
from cambrian.sweep.pricing import Bill, make_bill
from cambrian.sweep.readiness import require_inputs
from cambrian.sweep.rendering import plan_as_dict, print_mixtures, print_plan
from cambrian.sweep.room import explaining_full_disk, free_bytes
from cambrian.sweep.scores import print_scores
from cambrian.sweep.store import Store
from cambrian.sweep.summary import SweepRecord
from cambrian.tracking.wandb_client import find_agent


def run_sweep(words: Sequence[str]) -> int:
    """Execute the grid that the words of a command line span, as one plan.

    Raises:
        ConfigError: with every fault of every point, before anything is launched.
    """
    names = sweep_names(words)
    group = "+".join(names) or "-".join(words) or "sweep"
    return run(read_study(expand_sweeps(names, words), group=group[:120]))


def run_single(words: Sequence[str]) -> int:
    """Execute one point in this process: no Ray, no daemon, tracebacks as they are.

    Raises:
        UserError: if the words span several points.
    """
    if sweep_names(words):
        raise UserError("sweep=... spans several runs: add -m")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("cambrian.model").setLevel(logging.INFO)  # what is frozen, module by module
    agent = find_agent()
    study = read_study(expand(words), group=agent.sweep if agent else "run")
    return run(replace(study, runtime=replace(study.runtime, cluster="inline")))


def run(study: Study) -> int:
    """Plan `study`, then show the plan, draw it or execute it.

    Returns:
        0 if every run has its result (or only the plan was asked for), 1 if not, 130 if interrupted,
        75 if preempted.

    Raises:
        UserError: if this version cannot run it, or the disk is too full to begin.
    """
    if study.fidelity is not None:
        print_fidelity(study.recipes, study.fidelity)
        return 0
    store = open_store(study.runtime)
    with explaining_full_disk(store):
        return _run(study, store)


def _run(study: Study, store: Store) -> int:
    plan, bill = make_study_plan(study, store)
    workers = worker_count(study.runtime) if bill is None else study.hardware.places
    if study.plan == "json":
        json.dump(plan_as_dict(plan, workers, study.left_out, bill), sys.stdout)
        sys.stdout.write("\n")
        return 0
    if study.plan == "true":
        print_plan(plan, workers, study.left_out, bill)
        print_mixtures(study.recipes)
        return 0
    if study.plan != "false":
        draw_plan(plan, Path(study.plan))
        return 0
    require_inputs(plan, study.recipes, study.runtime)
    used = (part for recipe in study.recipes for data in recipe.data for part in (data, *data.parts))
    for summary in dict.fromkeys(part.summary for part in used if part.content):
        print(f"data: {summary}")
    print_mixtures(study.recipes)
    for reason, count in study.left_out.items():
        print(f"left out: {count:,} {'point' if count == 1 else 'points'}: {reason}")
    if not plan.runs:
        print("no run is left")
        return 0
    collect(store)
    if (exit_code := preflight(study, plan, store)) != 0:
        return exit_code
    if bill is not None:
        keys = tuple(sorted(one.key for one in bill.features))
        study = replace(study, runtime=replace(study.runtime, features=keys))
    with SweepRecord(plan, store, study.runtime) as record:
        if study.halving:
            outcome = halve(study, plan, store)
        else:
            outcome = execute(plan, store, study.runtime)
            print_scores(plan, store, outcome)
        record.finish(outcome)
    return outcome.exit_code


def make_study_plan(study: Study, store: Store) -> tuple[Plan, Bill | None]:
    """Plan the union of the stages of all runs; equal runs count once. Real models are priced as well."""
    lineage = Lineage()
    runs: dict[tuple[str, ...], Run] = {}
    for recipe in study.points:
        one = lineage.run(recipe)
        runs.setdefault(one.finals, one)
    works, hardware = lineage.works, study.hardware
    gpu = find_gpu(hardware.gpu)
    estimates = {d: price(work, gpu, hardware.gpus_per_stage).seconds for d, work in works.items()}
    plan = make_plan(name_apart(list(runs.values())), lineage.stages, store, estimates)
    if not works:
        return plan, None
    bill = make_bill(plan, works, hardware)
    if study.runtime.keep_features != "auto":
        return plan, bill
    features = worth_keeping(plan, works, gpu, hardware.gpus_per_stage, free_bytes(store.root))
    return plan, replace(bill, features=features)
