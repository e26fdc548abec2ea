"""From a recipe to its chain of stages: what must exist before this run has its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cambrian.benchmarks.suite import Benchmark, select
from cambrian.lab.world import WORLD_VERSION
from cambrian.recipe import Encoder, Optimization, Recipe
from cambrian.stages.base import Stage
from cambrian.sweep.plan import Run


def stages_of(recipe: Recipe) -> tuple[Run, dict[str, Stage]]:
    """Build the stages of one run, by digest; runs that share a prefix share its stages.

    Without adapter data there is no align stage at all, and because the align stage never sees whether the
    encoder will be unfrozen later, frozen and unfrozen runs share it.
    """
    stages: dict[str, Stage] = {}

    def add(stage: Stage) -> str:
        stages.setdefault(stage.digest, stage)
        return stage.digest

    world = {"version": WORLD_VERSION, "seed": recipe.scale.world["seed"]}
    eyes = {
        f"encoder.{index}": add(encoder_stage(encoder, world))
        for index, encoder in enumerate(recipe.encoders)
    }
    inputs = {**eyes, "language": add(language_stage(recipe, world))}
    if recipe.adapter_examples:
        inputs["align"] = add(_align_stage(recipe, world, inputs))
    model = add(_tune_stage(recipe, world, inputs))
    finals = tuple(
        add(_evaluate_stage(recipe, benchmark, world, {**eyes, "model": model}))
        for benchmark in select(recipe.benchmarks.include)
    )
    return Run(name=recipe.name, axes=recipe.axes, finals=finals), stages


def encoder_stage(encoder: Encoder, world: Mapping[str, int]) -> Stage:
    """Pre-training of a tiny encoder; for the controls, their untrained weights."""
    steps = int(encoder.optimization.get("steps", 0))
    return Stage(
        kind="encoder",
        recipe={
            "name": encoder.name,
            "architecture": encoder.architecture,
            "objective": encoder.objective,
            "optimization": encoder.optimization,
            "world": world,
            "seed": 0,
        },
        inputs={},
        label=f"encoder {encoder.name}",
        axes={"encoder": [encoder.name], "supervision": [encoder.supervision]},
        work=steps * int(encoder.optimization.get("batch_size", 0)),
    )


def language_stage(recipe: Recipe, world: Mapping[str, int]) -> Stage:
    """Pre-training of the tiny LLM."""
    optimization = recipe.llm.optimization
    return Stage(
        kind="language",
        recipe={
            "architecture": recipe.llm.architecture,
            "mixture": recipe.llm.mixture,
            "optimization": optimization,
            "world": world,
            "seed": 0,
        },
        inputs={},
        label=f"language {recipe.llm.name}",
        axes={"llm": recipe.llm.name},
        work=int(optimization["steps"]) * int(optimization["batch_size"]),
    )


def _align_stage(recipe: Recipe, world: Mapping[str, int], inputs: Mapping[str, str]) -> Stage:
    return Stage(
        kind="align",
        recipe={
            "connector": recipe.connector_settings,
            "data": {"kind": "caption", "examples": recipe.adapter_examples, "world": world},
            "optimization": _plain(recipe.scale.align),
            "seed": recipe.seed,
        },
        inputs=dict(inputs),
        label=f"align {_short(recipe)} {recipe.adapter}",
        axes=recipe.axes,
        work=recipe.adapter_examples,
    )


def _tune_stage(recipe: Recipe, world: Mapping[str, int], inputs: Mapping[str, str]) -> Stage:
    optimization = _plain(recipe.scale.tune)
    if recipe.vision == "unfrozen":
        optimization["lr"] = {**optimization["lr"], "vision": recipe.vision_lr}
    return Stage(
        kind="tune",
        recipe={
            "connector": recipe.connector_settings,
            "vision": recipe.vision,
            "data": {"kind": "instruct", "examples": recipe.instruct_examples, "world": world},
            "optimization": optimization,
            "seed": recipe.seed,
        },
        inputs=dict(inputs),
        label=f"tune {_short(recipe)} {recipe.adapter} {recipe.vision} {recipe.instruct}",
        axes=recipe.axes,
        work=recipe.instruct_examples,
    )


def _evaluate_stage(
    recipe: Recipe, benchmark: Benchmark, world: Mapping[str, int], inputs: Mapping[str, str]
) -> Stage:
    questions = recipe.benchmarks.questions
    return Stage(
        kind="evaluate",
        recipe={
            "benchmark": benchmark.recipe(),
            "questions": questions,
            "seed": recipe.benchmarks.seed,
            "world": world,
        },
        inputs=dict(inputs),
        label=f"evaluate {recipe.name} {benchmark.id}",
        axes={**recipe.axes, "benchmark": benchmark.id, "category": benchmark.category},
        work=questions,
    )


def _plain(optimization: Optimization) -> dict[str, Any]:
    values = asdict(optimization)
    del values["steps"]
    return {**values, "lr": dict(optimization.lr), "betas": list(optimization.betas)}


def _short(recipe: Recipe) -> str:
    return f"{'+'.join(encoder.name for encoder in recipe.encoders)} {recipe.connector}"
