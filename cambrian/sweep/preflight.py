"""The whole path at two steps, before anything long starts: what cannot work is known within minutes."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from filelock import FileLock

from cambrian.benchmarks.suite import select
from cambrian.config import Study
from cambrian.recipe import Recipe
from cambrian.stages.base import Stage, digest_of
from cambrian.sweep.execute import execute
from cambrian.sweep.lineage import Lineage, encoder_stage, language_stage, world_of
from cambrian.sweep.plan import Plan, State, make_plan
from cambrian.sweep.rendering import duration
from cambrian.sweep.store import Store

LONG_SECONDS = 600.0
"""preflight=auto tries plans with a training stage above this estimate."""
STEPS = 2
"""Of each training stage."""
BENCHMARKS = 2
QUESTIONS = 2


def preflight(study: Study, plan: Plan, store: Store) -> int:
    """Try every combination of encoders, connector, LLM and freezing that `plan` has yet to train.

    Encoders and LLM are taken from the store; those that it lacks are made in two steps, too. All that is
    made here is removed at the end.

    Returns:
        0 if the long stages may start, else the exit code to leave with.
    """
    if not _is_wanted(study.preflight, plan):
        return 0
    began = time.monotonic()
    with _scratch_store(store) as scratch:
        small = plan_preflight(_pending(study.points, plan), scratch)
        count = f"{len(small.runs)} combination{'' if len(small.runs) == 1 else 's'}"
        print(
            f"preflight: {STEPS} steps of each stage for {count} of encoders, connector and LLM", flush=True
        )
        runtime = replace(study.runtime, store=scratch.root, trackers=("jsonl",))
        outcome = execute(small, scratch, runtime)
    if not outcome.exit_code:
        print(f"preflight: {count} passed in {duration(time.monotonic() - began)}", flush=True)
        return 0
    if not outcome.interrupted and not outcome.preempted:
        for name, reason in outcome.unfinished.items():
            print(f"preflight failed: {name}: {reason}")
        print("nothing was started; preflight=false starts without looking", flush=True)
    return outcome.exit_code


def plan_preflight(recipes: Sequence[Recipe], store: Store) -> Plan:
    """Plan one short run for each combination in `recipes`; of equal ones, that with most adapter data."""
    chosen: dict[str, Recipe] = {}
    for recipe in recipes:
        known = chosen.setdefault(_combination(recipe), recipe)
        if recipe.adapter.examples > known.adapter.examples:
            chosen[_combination(recipe)] = recipe
    names = {key: _name(recipe) for key, recipe in chosen.items()}
    times = Counter(names.values())
    lineage = Lineage()
    runs = [
        replace(
            lineage.run(_shorten(recipe, store)),
            name=names[key] if times[names[key]] == 1 else f"{names[key]} {key[:6]}",
        )
        for key, recipe in chosen.items()
    ]
    return make_plan(runs, lineage.stages, store)


def _is_wanted(asked: str, plan: Plan) -> bool:
    if asked == "false" or not plan.pending:
        return False
    training = [digest for digest in plan.pending if plan.stages[digest].kind in ("align", "tune")]
    return asked == "true" or any(plan.seconds[digest] > LONG_SECONDS for digest in training)


def _pending(recipes: Sequence[Recipe], plan: Plan) -> list[Recipe]:
    lineage = Lineage()
    return [
        recipe
        for recipe in recipes
        if any(plan.states[final] is State.PENDING for final in lineage.run(recipe).finals)
    ]


def _combination(recipe: Recipe) -> str:
    """Digest of what has to work together."""
    return digest_of(
        {
            "encoders": [asdict(encoder) for encoder in recipe.encoders],
            "connector": recipe.connector_settings,
            "llm": asdict(recipe.llm),
            "vision": recipe.freezing,
        }
    )


def _name(recipe: Recipe) -> str:
    encoders = "+".join(encoder.name for encoder in recipe.encoders)
    return f"{encoders} {recipe.connector} {recipe.llm.name} {recipe.freezing}"


def _shorten(recipe: Recipe, store: Store) -> Recipe:
    """Give the same run in two steps of each stage, with two questions of each of two benchmarks."""
    scale, world = recipe.scale, world_of(recipe.scale)
    adapter = min(recipe.adapter.examples, STEPS * scale.align.batch_size)
    instruct = min(recipe.instruct.examples, STEPS * scale.tune.batch_size)
    encoders = tuple(
        encoder
        if _is_here(store, encoder_stage(encoder, world))
        else replace(encoder, optimization=_brief(encoder.optimization))
        for encoder in recipe.encoders
    )
    llm = recipe.llm
    if not _is_here(store, language_stage(llm, world)):
        llm = replace(llm, optimization=_brief(llm.optimization))
    asked = select(recipe.benchmarks.include)[:BENCHMARKS]
    return replace(
        recipe,
        encoders=encoders,
        llm=llm,
        adapter=replace(recipe.adapter, examples=adapter),
        instruct=replace(recipe.instruct, examples=instruct),
        benchmarks=replace(recipe.benchmarks, include=tuple(row.id for row in asked), questions=QUESTIONS),
    )


def _is_here(store: Store, stage: Stage) -> bool:
    """Whether `stage` is finished; its files are then on this machine, where the scratch store looks."""
    if store.find(stage.kind, stage.digest) is None:
        return False
    if store.is_remote:
        store.load(stage.kind, stage.digest)
    return True


def _brief(optimization: Mapping[str, Any]) -> Mapping[str, Any]:
    """Cut pre-training short; what is not trained has no steps."""
    return {**optimization, "steps": STEPS} if optimization.get("steps") else optimization


@contextmanager
def _scratch_store(store: Store) -> Iterator[Store]:
    """Give a store that is removed at the end and finds what `store` has; others wait for theirs."""
    place = store.root / "cache" / "preflight"
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):
        shutil.rmtree(place, ignore_errors=True)  # of a preflight that was killed
        try:
            yield Store(place, shipped=(store.root, *store.shipped))
        finally:
            shutil.rmtree(place, ignore_errors=True)
