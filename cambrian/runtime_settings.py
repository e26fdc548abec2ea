"""From the sections `runtime`, `cluster`, `tracker` and `price` of a configuration to typed settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cambrian.errors import UserError, unknown_name
from cambrian.hardware import GPUS
from cambrian.runtime import Hardware, Runtime
from cambrian.schema import read, read_value
from cambrian.sweep.place import locate_store

SHARD: Mapping[str, bool | None] = MappingProxyType({"auto": None, "true": True, "false": False})
"""Whether the processes of a stage divide the model among them."""

KEEPING = ("auto", "true", "false")


def read_runtime(config: Mapping[str, Any], group: str, faults: list[str]) -> Runtime | None:
    """Read how and where to run; None, and what is wrong goes to `faults`, if it makes no sense."""
    tracker = config["tracker"]
    values = {
        **config["runtime"],
        "shard": _read_shard(config["runtime"].get("shard", "auto"), faults),
        "keep_features": _read_keeping(config["runtime"].get("keep_features", "auto"), faults),
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
    faulty = read_value(float, config["data_faults"], "data_faults", faults)
    if faulty is not None and not 0 <= faulty <= 1:
        faults.append(f"data_faults must be from 0 to 1, got {faulty}")
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
    if settings.shard and settings.processes == 1:
        faults.append(
            "runtime.shard=true divides a model over the processes of a stage, and runtime.processes is 1: "
            "set runtime.processes to the number of GPUs, or runtime.shard=auto"
        )
    data = read_data_place(config["data"], faults)
    if len(faults) > before:
        return None
    try:
        place = locate_store(config["store"], config["store_copy"])
    except UserError as fault:
        faults.append(f"store: {fault}")
        return None
    return Runtime(store=place.directory, bucket=place.url, data=data, **vars(settings))


def _read_shard(given: object, faults: list[str]) -> bool | None:
    """Read whether models are divided; None means where they have to be."""
    word = str(given).lower()
    if word not in SHARD:
        faults.append(unknown_name("value of runtime.shard", word, SHARD))
    return SHARD.get(word)


def read_data_place(given: object, faults: list[str]) -> Path | None:
    """Say where this machine has its data sets; None if nowhere, or if there is no such directory."""
    where = given or os.environ.get("CAMBRIAN_DATA")
    if where is None:
        return None
    place = Path(str(where)).expanduser().resolve()
    if not place.is_dir():
        faults.append(f"data={where} is no directory; it holds the data sets, such as NAME.jsonl and images")
        return None
    return place


def read_hardware(config: Mapping[str, Any], faults: list[str]) -> Hardware | None:
    """Read what a plan is priced for; None, and what is wrong goes to `faults`, if it makes no sense."""
    hardware = read(Hardware, config["price"], "price", faults)
    if hardware is None:
        return None
    if hardware.gpu not in GPUS:
        faults.append(unknown_name("price.gpu", hardware.gpu, GPUS))
    if not 0 < hardware.gpus_per_stage <= hardware.gpus:
        faults.append(
            f"price.gpus_per_stage must be from 1 to price.gpus, which is {hardware.gpus}, "
            f"got {hardware.gpus_per_stage}"
        )
    return hardware


def _read_keeping(given: object, faults: list[str]) -> str:
    """Read whether features of frozen encoders are kept."""
    word = str(given).lower()
    if word not in KEEPING:
        faults.append(unknown_name("value of runtime.keep_features", word, KEEPING))
    return word


@dataclass(frozen=True, kw_only=True)
class _RuntimeSettings:
    cluster: str
    address: str | None
    workers: int
    device: str
    threads: int
    processes: int
    shard: bool | None
    gpu_fraction: float
    micro_batch: int
    checkpoint_seconds: float
    keep_features: str
    download: bool
    trackers: tuple[str, ...]
    wandb_mode: str
    wandb_project: str
    group: str
