"""What can be wrong with a well-typed recipe: combinations that cannot work, sizes that do not exist."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.benchmarks.answering import ANSWERINGS, GENERATE
from cambrian.benchmarks.suite import known_names, select
from cambrian.connectors.table import check_connector
from cambrian.data.templates import TEMPLATES
from cambrian.errors import unknown_name
from cambrian.lab.world import SIDE
from cambrian.recipe import Benchmarks, Data, Optimization, Recipe
from cambrian.sweep.encoder_shapes import block_count


def check_recipe(recipe: Recipe) -> list[str]:
    """Say all that is wrong with `recipe`, one sentence each; empty when it can run."""
    scale = recipe.scale
    faults = _check_data("adapter", recipe.adapter, "captioned images", 0, scale.captions, scale.name)
    faults += _check_data("instruct", recipe.instruct, "conversations", 1, scale.instructions, scale.name)
    if not 0 < scale.part <= 1:
        faults.append(f"scale.part must be above 0 and at most 1, got {scale.part}")
    if recipe.benchmarks.questions < 0 or recipe.seed < 0:
        faults.append("benchmarks.questions and seed must not be negative")
    if recipe.vision == "unfrozen":
        if recipe.vision_lr <= 0:
            key = f"vision.lr.{scale.like or scale.name}"
            faults.append(f"vision=unfrozen needs a positive {key}, got {recipe.vision_lr}")
        faults += [
            f"vision=unfrozen: encoder '{encoder.name}' has no weights to train; use vision=frozen"
            for encoder in recipe.encoders
            if not encoder.trainable
        ]
        faults += _check_blocks(recipe)
    for stage, settings in (("align", scale.align), ("tune", scale.tune)):
        faults += _check_optimization(f"scale.{stage}", settings)
    faults += _check_benchmarks(recipe.benchmarks.include, "lab" if scale.world else "hub", scale.name)
    faults += _check_answering(recipe.benchmarks, scale.like or scale.name)
    faults += _check_side(recipe)
    if recipe.llm.template not in TEMPLATES:
        faults.append(unknown_name("llm template", recipe.llm.template, TEMPLATES))
    grids = {encoder.name: encoder.grid for encoder in recipe.encoders}
    return faults + check_connector(recipe.connector_settings, grids, int(recipe.llm.architecture["layers"]))


def _check_blocks(recipe: Recipe) -> list[str]:
    blocks, faults = recipe.vision_blocks, []
    for encoder in recipe.encoders if blocks is not None else ():
        count = block_count(encoder)
        if encoder.trainable and not 1 <= (blocks or 0) <= count:
            faults.append(
                f"vision.blocks={blocks}: encoder '{encoder.name}' has {count} blocks; "
                "choose from 1 to that, or null for the whole encoder"
            )
    return faults


def _check_data(axis: str, data: Data, what: str, least: int, most: int, scale: str) -> list[str]:
    if least <= data.examples <= most:
        return []
    return [
        f"{axis} '{data.name}' asks for {data.examples} {what}, the data of scale={scale} has {most}; "
        f"choose a number from {least} to that"
    ]


def _check_side(recipe: Recipe) -> list[str]:
    """The tiny LLM has learned places on the lab's grid, and knows them on grids that divide it."""
    side = recipe.connector_settings.get("side")
    if not recipe.scale.world or not isinstance(side, int) or side < 1 or SIDE % side == 0:
        return []
    fitting = [number for number in range(1, SIDE + 1) if SIDE % number == 0]
    return [f"connector.lab.side must be one of {fitting}, which the tiny LLM has learned, got {side}"]


def _check_benchmarks(names: Sequence[str], source: str, scale: str) -> list[str]:
    unknown = [unknown_name("benchmark", name, known_names()) for name in names if name not in known_names()]
    if unknown:
        return unknown
    return [
        f"benchmark '{row.id}' does not exist at scale={scale}"
        for row in select(names)
        if row.source != source
    ]


def _check_answering(benchmarks: Benchmarks, section: str) -> list[str]:
    by = benchmarks.answering
    if by not in ANSWERINGS:
        return [unknown_name("value of benchmarks.answering", by, ANSWERINGS)]
    if by == GENERATE or not {*benchmarks.include} <= {*known_names()}:
        return []
    rows = select(benchmarks.include)
    without, fitting = ([row.id for row in rows if row.closed is closed] for closed in (False, True))
    if not without:
        return []
    fix = f"benchmarks.{section}.include=[{','.join(fitting)}] or " if fitting else ""
    return [
        f"benchmarks.answering={by} chooses among a question's options, and {', '.join(without)} "
        f"{'have' if len(without) > 1 else 'has'} questions without; use {fix}benchmarks.answering={GENERATE}"
    ]


def _check_optimization(where: str, settings: Optimization) -> list[str]:
    faults = [f"{where}.lr.{name} must be positive, got {lr}" for name, lr in settings.lr.items() if lr <= 0]
    if settings.batch_size < 1:
        faults.append(f"{where}.batch_size must be at least 1, got {settings.batch_size}")
    if not 0 <= settings.warmup_fraction < 1:
        faults.append(f"{where}.warmup_fraction must be in [0, 1), got {settings.warmup_fraction}")
    if settings.clip <= 0 or settings.weight_decay < 0:
        faults.append(f"{where}.clip must be positive and {where}.weight_decay must not be negative")
    return faults
