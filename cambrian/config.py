"""From a composed configuration to an `Experiment`: typed, checked, and free of any config library.

The one place where configuration keys are read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.benchmarks.suite import BENCHMARKS, SUITES
from cambrian.connectors.table import check_connector
from cambrian.errors import ConfigError, unknown_name
from cambrian.recipe import Benchmarks, Encoder, Language, Optimization, Recipe, Scale
from cambrian.runtime import PROJECT, Runtime
from cambrian.schema import read, read_value


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One run: what determines its result, and where it runs."""

    recipe: Recipe
    runtime: Runtime
    plan: str = field(default="false")
    """false, true or json."""


def read_experiments(configs: Sequence[Mapping[str, Any]], group: str = "run") -> list[Experiment]:
    """Read and check composed configurations, given as plain containers.

    Raises:
        ConfigError: with every fault of every configuration, each named once.
    """
    faults: list[str] = []
    experiments = []
    for config in configs:
        own: list[str] = []
        recipe = read_recipe(config, own)
        runtime = _read_runtime(config, group, own)
        plan = str(config["plan"]).lower()
        if plan not in ("false", "true", "json"):
            own.append(f"plan must be true, false or json, got {config['plan']!r}")
        if recipe is not None and runtime is not None:
            experiments.append(Experiment(recipe=recipe, runtime=runtime, plan=plan))
        faults += own
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    return experiments


def read_recipe(config: Mapping[str, Any], faults: list[str]) -> Recipe | None:
    """Read what determines the result; adds to `faults` and returns None if something is wrong."""
    before = len(faults)
    scale = read(Scale, config["scale"], "scale", faults)
    if scale is None:
        return None
    at = scale.name
    encoders = [_read_encoder(name, node, at, faults) for name, node in config["encoders"].items()]
    llm_node = {"name": config["llm"]["name"], **_at_scale(config["llm"], at, "llm", faults)}
    llm = read(Language, llm_node, "llm", faults)
    connector = _at_scale(config["connector"], at, "connector", faults)
    adapter = _examples(config["adapter"], at, "adapter", faults)
    instruct = _examples(config["instruct"], at, "instruct", faults)
    vision_lr = read_value(float, config["vision"]["lr"].get(at), f"vision.lr.{at}", faults)
    benchmarks = read(Benchmarks, config["benchmarks"], "benchmarks", faults)
    seed = read_value(int, config["seed"], "seed", faults)
    if len(faults) > before or llm is None or benchmarks is None:
        return None
    recipe = Recipe(
        encoders=tuple(encoder for encoder in encoders if encoder is not None),
        connector=config["connector"]["name"],
        connector_settings={"kind": config["connector"]["kind"], **connector},
        adapter=config["adapter"]["name"],
        adapter_examples=adapter,
        vision=config["vision"]["name"],
        vision_lr=vision_lr,
        instruct=config["instruct"]["name"],
        instruct_examples=instruct,
        llm=llm,
        scale=scale,
        benchmarks=benchmarks,
        seed=seed,
    )
    faults += check_recipe(recipe)
    return None if len(faults) > before else recipe


def check_recipe(recipe: Recipe) -> list[str]:
    """Faults of a well-typed recipe: combinations that cannot work and sizes that do not exist."""
    faults = []
    scale = recipe.scale
    if recipe.adapter_examples > scale.captions:
        faults.append(
            f"adapter '{recipe.adapter}' asks for {recipe.adapter_examples} captioned images, the data of "
            f"scale={scale.name} has {scale.captions}; choose a smaller adapter"
        )
    if not 0 < recipe.instruct_examples <= scale.instructions:
        faults.append(
            f"instruct '{recipe.instruct}' asks for {recipe.instruct_examples} conversations, the data of "
            f"scale={scale.name} has {scale.instructions}; choose a number from 1 to that"
        )
    if recipe.adapter_examples < 0 or recipe.benchmarks.questions <= 0 or recipe.seed < 0:
        faults.append("adapter examples and seed must not be negative, benchmarks.questions must be positive")
    if recipe.vision == "unfrozen":
        if recipe.vision_lr <= 0:
            faults.append(f"vision=unfrozen needs a positive vision.lr.{scale.name}, got {recipe.vision_lr}")
        faults += [
            f"vision=unfrozen: encoder '{encoder.name}' has no weights to train; use vision=frozen"
            for encoder in recipe.encoders
            if not encoder.trainable
        ]
    for stage, settings in (("align", scale.align), ("tune", scale.tune)):
        faults += _check_optimization(f"scale.{stage}", settings)
    known = {*SUITES, *BENCHMARKS}
    faults += [
        unknown_name("benchmark", name, known) for name in recipe.benchmarks.include if name not in known
    ]
    grids = {encoder.name: encoder.grid for encoder in recipe.encoders}
    return faults + check_connector(recipe.connector_settings, grids, int(recipe.llm.architecture["layers"]))


def _check_optimization(where: str, settings: Optimization) -> list[str]:
    faults = [f"{where}.lr.{name} must be positive, got {lr}" for name, lr in settings.lr.items() if lr <= 0]
    if settings.batch_size < 1:
        faults.append(f"{where}.batch_size must be at least 1, got {settings.batch_size}")
    if not 0 <= settings.warmup_fraction < 1:
        faults.append(f"{where}.warmup_fraction must be in [0, 1), got {settings.warmup_fraction}")
    if settings.clip <= 0 or settings.weight_decay < 0:
        faults.append(f"{where}.clip must be positive and {where}.weight_decay must not be negative")
    return faults


def _read_encoder(name: str, node: Mapping[str, Any], scale: str, faults: list[str]) -> Encoder | None:
    where = f"encoders.{name}"
    values = {"name": name, "supervision": node["supervision"], **_at_scale(node, scale, where, faults)}
    return read(Encoder, values, where, faults)


def _at_scale(node: Mapping[str, Any], scale: str, where: str, faults: list[str]) -> Mapping[str, Any]:
    if scale not in node:
        faults.append(
            f"{where} says nothing for scale={scale}; add a section '{scale}:' to its file in conf/"
        )
        return {}
    return node[scale]


def _examples(node: Mapping[str, Any], scale: str, where: str, faults: list[str]) -> int:
    if scale not in node["examples"]:
        faults.append(unknown_name(f"scale in {where}.examples", scale, node["examples"]))
        return 0
    value = read_value(int, node["examples"][scale], f"{where}.examples.{scale}", faults)
    return value if value is not None else 0


def _read_runtime(config: Mapping[str, Any], group: str, faults: list[str]) -> Runtime | None:
    tracker = config["tracker"]
    place = config["store"] or os.environ.get("CAMBRIAN_STORE") or PROJECT / "runs"
    values = {
        **config["runtime"],
        "cluster": config["cluster"]["name"],
        "address": config["cluster"]["address"],
        "trackers": ["jsonl"] + (["wandb"] if tracker["name"] == "wandb" else []),
        "wandb_mode": tracker["mode"],
        "wandb_project": tracker["project"],
        "group": group,
    }
    before = len(faults)
    settings = read(_RuntimeSettings, values, "runtime", faults)
    if settings is None:
        return None
    limits = {"workers": (settings.workers, 0), "threads": (settings.threads, 1)}
    limits |= {"micro_batch": (settings.micro_batch, 0), "processes": (settings.processes, 1)}
    for name, (value, least) in limits.items():
        if value < least:
            faults.append(f"runtime.{name} must be at least {least}, got {value}")
    if not 0 < settings.gpu_fraction <= 1:
        faults.append(f"runtime.gpu_fraction must be above 0 and at most 1, got {settings.gpu_fraction}")
    if settings.processes > 1 and settings.device not in ("cpu", "cuda"):
        faults.append(
            f"runtime.processes={settings.processes} takes the first GPUs it is given: set "
            f"runtime.device=cuda (or cpu), got {settings.device}"
        )
    if len(faults) > before:
        return None
    return Runtime(store=Path(place).expanduser().resolve(), **vars(settings))


@dataclass(frozen=True, kw_only=True)
class _RuntimeSettings:
    cluster: str
    address: str | None
    workers: int
    device: str
    threads: int
    processes: int
    gpu_fraction: float
    micro_batch: int
    checkpoint_seconds: float
    trackers: tuple[str, ...]
    wandb_mode: str
    wandb_project: str
    group: str
