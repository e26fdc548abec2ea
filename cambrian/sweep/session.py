"""One session at the keyboard: experiments in, a plan shown or executed, scores out, an exit code."""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from cambrian.config import Experiment, read_experiments
from cambrian.errors import UserError
from cambrian.runtime import SHIPPED
from cambrian.sweep.execute import execute, worker_count
from cambrian.sweep.garbage import collect
from cambrian.sweep.grid import expand, parse_overrides, sweep_arguments
from cambrian.sweep.lineage import stages_of
from cambrian.sweep.plan import Plan, make_plan
from cambrian.sweep.rendering import plan_as_dict, print_plan
from cambrian.sweep.scores import print_scores
from cambrian.sweep.store import Store


def run_sweep(arguments: Sequence[str]) -> int:
    """Execute the grid that the words of a command line span, as one plan.

    Raises:
        ConfigError: with every fault of every point, before anything is launched.
    """
    words = list(arguments)
    named = [o for o in parse_overrides(words) if o.key_or_group == "sweep" and o.value() is not None]
    group = "-".join(words) or "sweep"
    if named:
        group = str(named[-1].value())
        words = sweep_arguments(group, [w for w in words if not w.startswith("sweep=")])
    return run(read_experiments(expand(words), group=group[:120]))


def run_single(config: dict[str, object]) -> int:
    """Execute one composed configuration in this process: no Ray, no daemon, tracebacks as they are."""
    if config["sweep"] is not None:
        raise UserError(f"sweep={config['sweep']} spans several runs: add -m")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("cambrian.model").setLevel(logging.INFO)  # what is frozen, module by module
    experiment = read_experiments([config])[0]
    return run([replace(experiment, runtime=replace(experiment.runtime, cluster="inline"))])


def run(experiments: Sequence[Experiment]) -> int:
    """Plan `experiments`, then show the plan or execute it.

    Returns:
        0 if every run has its result (or only the plan was asked for), 1 if not, 130 if interrupted.
    """
    runtime, mode = experiments[0].runtime, experiments[0].plan
    store = Store(runtime.store, shipped=SHIPPED)
    plan = make_study_plan(experiments, store)
    if mode == "json":
        json.dump(plan_as_dict(plan, worker_count(runtime)), sys.stdout)
        sys.stdout.write("\n")
        return 0
    if mode == "true":
        print_plan(plan, workers=worker_count(runtime))
        return 0
    collect(store)
    outcome = execute(plan, store, runtime)
    print_scores(plan, store, outcome)
    return outcome.exit_code


def make_study_plan(experiments: Sequence[Experiment], store: Store) -> Plan:
    """Plan the union of the stages of all `experiments`; equal runs count once.

    Runs that differ in more than their axes, such as a learning rate, get part of a digest into their name.
    """
    stages, runs = {}, {}
    for experiment in experiments:
        one, own = stages_of(experiment.recipe)
        stages.update(own)
        runs.setdefault(one.finals, one)
    names = Counter(one.name for one in runs.values())
    named = [
        one if names[one.name] == 1 else replace(one, name=f"{one.name} {one.finals[0][:6]}")
        for one in runs.values()
    ]
    return make_plan(named, stages, store)
