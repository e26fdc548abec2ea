"""From a recipe to its chain of stages: what must exist before this run has its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeVar

from cambrian.benchmarks.answering import GENERATE
from cambrian.benchmarks.suite import select
from cambrian.lab.world import WORLD_VERSION
from cambrian.recipe import PRETRAINED, WITH, Benchmarks, Data, Encoder, Language, Optimization, Recipe, Scale
from cambrian.recipe import Part as MixturePart
from cambrian.stages.base import Stage, canonical_json
from cambrian.sweep.memory import Work
from cambrian.sweep.plan import Run
from cambrian.sweep.pricing import align_work, evaluation_work, tune_work

T = TypeVar("T")

World = Mapping[str, int]
"""Version and seed of the lab's world; empty at other scales."""


class Part(NamedTuple):
    """Part of a recipe with its canonical JSON, which is made once for all stages that have the part."""

    value: Any
    json: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The questions of one benchmark, as all runs are asked them."""

    benchmark: str
    category: str
    recipe: Part
    work: int


class Lineage:
    """Collects the stages of runs; what runs share is one stage.

    Recipes that share parts (the very objects) are quick: each part is looked at once.
    """

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        """By digest, inputs before what is made from them."""
        self.works: dict[str, Work] = {}
        """What stages at scale=paper compute, by digest."""
        self._made: dict[tuple[object, ...], Any] = {}
        self._kept: list[object] = []

    def run(self, recipe: Recipe) -> Run:
        """Add the stages of one run.

        Without adapter data there is no align stage at all, and because the align stage never sees whether
        the encoder will be unfrozen later, frozen and unfrozen runs share it.
        """
        scale = recipe.scale
        eyes = {
            f"encoder.{index}": self._once(self._encoder, encoder, scale)
            for index, encoder in enumerate(recipe.encoders)
        }
        inputs = {**eyes, "language": self._once(self._language, recipe.llm, scale)}
        if recipe.adapter.examples:
            inputs["align"] = self._add(self._align(recipe, inputs), align_work, recipe)
        judged = {**eyes, "model": self._add(self._tune(recipe, inputs), tune_work, recipe)}
        questions = self._once(_questions, recipe.benchmarks, scale)
        finals = tuple(
            self._add(_evaluate_stage(recipe, asked, judged), evaluation_work, recipe, asked.work)
            for asked in questions
        )
        return Run(name=run_name(recipe), axes=recipe.axes, finals=finals)

    def _align(self, recipe: Recipe, inputs: Mapping[str, str]) -> Stage:
        value, json = _join(
            connector=self._once(_part, recipe.connector_settings),
            data=self._once(_captions, recipe.adapter, recipe.scale),
            optimization=self._once(_align_optimization, recipe.scale),
            seed=_part(recipe.seed),
        )
        return Stage(
            kind="align",
            recipe=value,
            inputs=dict(inputs),
            label=f"align {_short(recipe)} {recipe.adapter.name}{recipe.mark}",
            axes=recipe.axes,
            work=recipe.adapter.examples,
            recipe_json=json,
        )

    def _tune(self, recipe: Recipe, inputs: Mapping[str, str]) -> Stage:
        rate = recipe.vision_lr if recipe.vision == "unfrozen" else None
        choices = f"{recipe.adapter.name} {recipe.freezing} {recipe.instruct.name}{recipe.mark}"
        value, json = _join(
            connector=self._once(_part, recipe.connector_settings),
            data=self._once(_instructions, recipe.instruct, recipe.scale),
            optimization=self._once(_tune_optimization, recipe.scale, rate),
            seed=_part(recipe.seed),
            vision=_part(recipe.vision),
            **({} if recipe.vision_blocks is None else {"vision_blocks": _part(recipe.vision_blocks)}),
        )
        return Stage(
            kind="tune",
            recipe=value,
            inputs=inputs,
            label=f"tune {_short(recipe)} {choices}",
            axes=recipe.axes,
            work=recipe.instruct.examples,
            recipe_json=json,
        )

    def _once(self, make: Callable[..., T], *parts: object) -> T:
        key = (make, *map(id, parts))
        if key not in self._made:
            self._made[key] = make(*parts)
            self._kept += parts  # an id is only unique among the living
        return self._made[key]

    def _encoder(self, encoder: Encoder, scale: Scale) -> str:
        return self._add(encoder_stage(encoder, world_of(scale)))

    def _language(self, llm: Language, scale: Scale) -> str:
        return self._add(language_stage(llm, world_of(scale)))

    def _add(self, stage: Stage, work_of: Callable[..., Work] | None = None, *details: Any) -> str:  # noqa: ANN401
        digest = self.stages.setdefault(stage.digest, stage).digest
        if work_of is not None and digest not in self.works and not details[0].scale.world:
            self.works[digest] = work_of(*details)
        return digest


def run_name(recipe: Recipe) -> str:
    """Name of a run: of its model, and how that answers unless it writes its answers."""
    by = recipe.benchmarks.answering
    return recipe.name if by == GENERATE else f"{recipe.name} by {by}"


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
            "architecture": _architecture(encoder),
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


def _architecture(encoder: Encoder) -> Mapping[str, Any]:
    """A pretrained network is brought to the grid that is wanted; one of the lab has it by itself."""
    if encoder.objective["kind"] != PRETRAINED:
        return encoder.architecture
    return {**encoder.architecture, "grid": encoder.grid}


def language_stage(llm: Language, world: World) -> Stage:
    """Pre-training of the tiny LLM, or a pretrained one."""
    steps = int(llm.optimization.get("steps", 0))
    source = {"content": llm.content} if llm.content else {"model": llm.model, "revision": llm.revision}
    return Stage(
        kind="language",
        recipe={
            "architecture": llm.architecture,
            "mixture": llm.mixture,
            "optimization": llm.optimization,
            **_world(world),
            "seed": 0,
            **({} if world else {**source, "template": llm.template}),
        },
        inputs={},
        label=f"language {llm.model}",
        axes={"llm": llm.model},
        work=steps * int(llm.optimization.get("batch_size", 0)),
    )


def _questions(benchmarks: Benchmarks, scale: Scale) -> list[Asked]:
    chosen = benchmarks.questions
    by = {} if benchmarks.answering == GENERATE else {"answering": benchmarks.answering}
    fixed = {"questions": chosen, "seed": benchmarks.seed, **by, **_world(world_of(scale))}
    return [
        Asked(
            benchmark=row.id,
            category=row.category,
            recipe=_part({"benchmark": row.recipe(benchmarks.contents.get(row.id, "")), **fixed}),
            work=min(chosen or row.questions, row.questions or chosen),
        )
        for row in select(benchmarks.include)
    ]


def _evaluate_stage(recipe: Recipe, asked: Asked, inputs: Mapping[str, str]) -> Stage:
    by = recipe.benchmarks.answering
    axis = {} if by == GENERATE else {"answering": by}
    return Stage(
        kind="evaluate",
        recipe=asked.recipe.value,
        inputs=inputs,
        label=f"evaluate {run_name(recipe)} {asked.benchmark}",
        axes={**recipe.axes, "benchmark": asked.benchmark, "category": asked.category, **axis},
        work=asked.work,
        recipe_json=asked.recipe.json,
    )


def _part(value: object) -> Part:
    return Part(value, canonical_json(value))


def _join(**parts: Part) -> Part:
    fields = ",".join(f'"{name}":{parts[name].json}' for name in sorted(parts))
    return Part({name: part.value for name, part in parts.items()}, f"{{{fields}}}")


def _captions(data: Data, scale: Scale) -> Part:
    return _part(_data("caption", data, scale))


def _instructions(data: Data, scale: Scale) -> Part:
    return _part(_data("instruct", data, scale))


def _data(kind: str, data: Data, scale: Scale) -> dict[str, Any]:
    source = {} if data.source is None else {"source": data.source}
    if data.content:
        source = {"content": data.content, "left_out": data.left_out}
    elif data.parts:
        # In an order that names do not decide.
        parts = [_mixture_part(part) for part in data.parts]
        source = {"mixture": sorted(parts, key=canonical_json)}
    elif data.response_format != WITH:
        source = {**source, "response_format": data.response_format}
    # A proxy is told from a smaller data set of equal size, so that no result is ever taken for a first look.
    proxy = {} if data.proxy == 1 else {"proxy": data.proxy}
    part = {} if data.part == 1 else {"part": data.part}
    context = {} if scale.context is None else {"context": scale.context}
    more = {**_world(world_of(scale)), **source, **context, **part, **proxy}
    return {"kind": kind, "examples": data.examples, **more}


def _mixture_part(part: MixturePart) -> dict[str, Any]:
    wanted = {"response_format": list(part.response_format)} if part.response_format else {}
    return {"content": part.content, "left_out": part.left_out, "examples": part.examples, **wanted}


def _align_optimization(scale: Scale) -> Part:
    return _part(_plain(scale.align))


def _tune_optimization(scale: Scale, vision_lr: float | None) -> Part:
    values = _plain(scale.tune)
    if vision_lr is not None:
        values["lr"] = {**values["lr"], "vision": vision_lr}
    return _part(values)


def _world(world: World) -> dict[str, World]:
    return {"world": world} if world else {}


def _plain(optimization: Optimization) -> dict[str, Any]:
    values = asdict(optimization)
    del values["steps"]
    return {**values, "lr": dict(optimization.lr), "betas": list(optimization.betas)}


def _short(recipe: Recipe) -> str:
    return f"{'+'.join(encoder.name for encoder in recipe.encoders)} {recipe.connector}"
