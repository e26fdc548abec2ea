"""From a recipe to its chain of stages: what must exist before this run has its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from cambrian.benchmarks.suite import select
from cambrian.lab.world import WORLD_VERSION
from cambrian.recipe import Benchmarks, Data, Encoder, Language, Optimization, Recipe, Scale
from cambrian.stages.base import Stage, canonical_json
from cambrian.sweep.plan import Run

T = TypeVar("T")

World = Mapping[str, int]
"""Version and seed of the lab's world; empty at other scales."""


class Lineage:
    """Collects the stages of runs; what runs share is one stage.

    Recipes that share parts (the very objects) are quick: each part is turned into its stage once.
    """

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        """By digest, inputs before what is made from them."""
        self._made: dict[tuple[object, ...], Any] = {}
        self._kept: list[object] = []

    def run(self, recipe: Recipe) -> Run:
        """Add the stages of one run.

        Without adapter data there is no align stage at all, and because the align stage never sees whether
        the encoder will be unfrozen later, frozen and unfrozen runs share it.
        """
        world = world_of(recipe.scale)
        eyes = {
            f"encoder.{index}": self._once(self._encoder, encoder, recipe.scale)
            for index, encoder in enumerate(recipe.encoders)
        }
        inputs = {**eyes, "language": self._once(self._language, recipe.llm, recipe.scale)}
        if recipe.adapter.examples:
            key = (*map(id, recipe.encoders), id(recipe.connector_settings), id(recipe.adapter))
            key = (*key, id(recipe.llm), id(recipe.scale), recipe.seed)
            if key not in self._made:
                self._made[key] = self._add(_align_stage(recipe, world, inputs))
                self._kept.append(recipe)
            inputs["align"] = self._made[key]
        judged = {**eyes, "model": self._add(_tune_stage(recipe, world, inputs))}
        questions = self._once(_questions, recipe.benchmarks, recipe.scale)
        finals = tuple(self._add(_evaluate_stage(recipe, asked, judged)) for asked in questions)
        return Run(name=recipe.name, axes=recipe.axes, finals=finals)

    def _once(self, make: Callable[[T, Scale], Any], part: T, scale: Scale) -> Any:  # noqa: ANN401
        key = (make, id(part), id(scale))
        if key not in self._made:
            self._made[key] = make(part, scale)
            self._kept += [part, scale]  # an id is only unique among the living
        return self._made[key]

    def _encoder(self, encoder: Encoder, scale: Scale) -> str:
        return self._add(encoder_stage(encoder, world_of(scale)))

    def _language(self, llm: Language, scale: Scale) -> str:
        return self._add(language_stage(llm, world_of(scale)))

    def _add(self, stage: Stage) -> str:
        return self.stages.setdefault(stage.digest, stage).digest


def world_of(scale: Scale) -> World:
    """Give what tells the lab's world from others."""
    return {"version": WORLD_VERSION, "seed": scale.world["seed"]} if scale.world else {}


def encoder_stage(encoder: Encoder, world: World) -> Stage:
    """Pre-training of a tiny encoder, the untrained weights of a control, or a pretrained encoder."""
    steps = int(encoder.optimization.get("steps", 0))
    return Stage(
        kind="encoder",
        recipe={
            "name": encoder.name,
            "architecture": encoder.architecture,
            "objective": encoder.objective,
            "optimization": encoder.optimization,
            **_world(world),
            "seed": 0,
        },
        inputs={},
        label=f"encoder {encoder.name}",
        axes={"encoder": [encoder.name], "supervision": [encoder.supervision]},
        work=steps * int(encoder.optimization.get("batch_size", 0)),
    )


def language_stage(llm: Language, world: World) -> Stage:
    """Pre-training of the tiny LLM, or a pretrained one."""
    steps = int(llm.optimization.get("steps", 0))
    return Stage(
        kind="language",
        recipe={
            "architecture": llm.architecture,
            "mixture": llm.mixture,
            "optimization": llm.optimization,
            **_world(world),
            "seed": 0,
            **({} if world else {"model": llm.model}),
        },
        inputs={},
        label=f"language {llm.model}",
        axes={"llm": llm.model},
        work=steps * int(llm.optimization.get("batch_size", 0)),
    )


def _align_stage(recipe: Recipe, world: World, inputs: Mapping[str, str]) -> Stage:
    return Stage(
        kind="align",
        recipe={
            "connector": recipe.connector_settings,
            "data": _data("caption", recipe.adapter, world),
            "optimization": _plain(recipe.scale.align),
            "seed": recipe.seed,
        },
        inputs=dict(inputs),
        label=f"align {_short(recipe)} {recipe.adapter.name}",
        axes=recipe.axes,
        work=recipe.adapter.examples,
    )


def _tune_stage(recipe: Recipe, world: World, inputs: Mapping[str, str]) -> Stage:
    optimization = _plain(recipe.scale.tune)
    if recipe.vision == "unfrozen":
        optimization["lr"] = {**optimization["lr"], "vision": recipe.vision_lr}
    return Stage(
        kind="tune",
        recipe={
            "connector": recipe.connector_settings,
            "vision": recipe.vision,
            "data": _data("instruct", recipe.instruct, world),
            "optimization": optimization,
            "seed": recipe.seed,
        },
        inputs=inputs,
        label=f"tune {_short(recipe)} {recipe.adapter.name} {recipe.vision} {recipe.instruct.name}",
        axes=recipe.axes,
        work=recipe.instruct.examples,
    )


class _Asked:
    """The questions of one benchmark, as all runs are asked them."""

    def __init__(self, benchmark: str, category: str, recipe: Mapping[str, Any], work: int) -> None:
        self.benchmark = benchmark
        self.category = category
        self.recipe = recipe
        self.recipe_json = canonical_json(recipe)
        self.work = work


def _questions(benchmarks: Benchmarks, scale: Scale) -> list[_Asked]:
    chosen = benchmarks.questions
    fixed = {"questions": chosen, "seed": benchmarks.seed, **_world(world_of(scale))}
    return [
        _Asked(row.id, row.category, {"benchmark": row.recipe(), **fixed}, chosen or row.questions)
        for row in select(benchmarks.include)
    ]


def _evaluate_stage(recipe: Recipe, asked: _Asked, inputs: Mapping[str, str]) -> Stage:
    return Stage(
        kind="evaluate",
        recipe=asked.recipe,
        inputs=inputs,
        label=f"evaluate {recipe.name} {asked.benchmark}",
        axes={**recipe.axes, "benchmark": asked.benchmark, "category": asked.category},
        work=asked.work,
        recipe_json=asked.recipe_json,
    )


def _data(kind: str, data: Data, world: World) -> dict[str, Any]:
    source = {} if data.source is None else {"source": data.source}
    return {"kind": kind, "examples": data.examples, **_world(world), **source}


def _world(world: World) -> dict[str, World]:
    return {"world": world} if world else {}


def _plain(optimization: Optimization) -> dict[str, Any]:
    values = asdict(optimization)
    del values["steps"]
    return {**values, "lr": dict(optimization.lr), "betas": list(optimization.betas)}


def _short(recipe: Recipe) -> str:
    return f"{'+'.join(encoder.name for encoder in recipe.encoders)} {recipe.connector}"
