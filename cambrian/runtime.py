"""Where and how fast a stage runs. Nothing here may change a result, so nothing here is hashed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

PROJECT = Path(__file__).resolve().parent.parent
"""Folder of run.py, conf/ and sweeps/."""
SHIPPED = Path(__file__).resolve().parent / "lab" / "weights"
"""Finished encoders and the tiny LLM for the default settings, as entries of a store."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Settings of the machine and the session, as opposed to those of the science."""

    store: Path
    """Directory of finished stages; caches and work in progress live below it too."""
    bucket: str | None = None
    """URL of the store if it is in object storage; `store` is then this machine's copy."""
    cluster: str = "laptop"
    """Who executes a sweep: laptop (Ray, started here), ray (an existing cluster), inline (this process)."""
    address: str | None = None
    """Address of an existing Ray cluster, for cluster=ray."""
    workers: int = 0
    """Stages run at the same time; 0 means one per CPU core."""
    device: str = "cpu"
    """Torch device of training and evaluation."""
    threads: int = 1
    """Torch threads of one process."""
    processes: int = 1
    """Torch processes of a training stage, which share every batch; on CUDA each has a GPU of its own."""
    shard: bool | None = None
    """Whether the processes of a stage divide the model among them; None: if it is too large for one GPU."""
    spread: bool = False
    """Whether the processes of a stage have been given places on several machines; said by who placed it."""
    gpu_fraction: float = 1.0
    """Part of a GPU that a stage of one process takes, for device cuda."""
    micro_batch: int = 0
    """Examples per forward pass; 0 means the whole global batch. The global batch stays as it is."""
    checkpoint_seconds: float = 20.0
    """Least time between two checkpoints of a training stage."""
    keep_features: str = "auto"
    """Whether features of frozen encoders are kept for other stages: true, false, or auto (where it pays)."""
    features: tuple[str, ...] = ()
    """Names of those for which a plan found that it pays."""
    data: Path | None = None
    """Directory with the data sets of training, and below `benchmarks` copies of benchmarks."""
    download: bool = False
    """Whether pretrained models that are not on this machine may be fetched."""
    copies: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint of the content of a pretrained model -> where a copy of it was found when planning."""
    trackers: tuple[str, ...] = ("jsonl",)
    """Where metrics go: jsonl always, wandb when asked for."""
    wandb_mode: str = "offline"
    wandb_project: str = "cambrian-sweeps"
    group: str = "run"
    """Name of the sweep, W&B's group."""

    @property
    def cache(self) -> Path:
        """Directory of files that can be made again at any time, such as rendered images."""
        return self.store / "cache"

    @property
    def tracking(self) -> Path:
        """Directory of the records of all stages: curves, final numbers, failures."""
        return self.store / "tracking"


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a plan at scale=paper is priced for."""

    gpu: str
    """Type, a name in cambrian/hardware.py."""
    gpus: int
    """In all."""
    gpus_per_stage: int

    @property
    def places(self) -> int:
        """Stages that run at the same time."""
        return max(1, self.gpus // self.gpus_per_stage)


class Tracker(Protocol):
    """Where a stage's numbers go while it runs. Never raises because of a network or a full disk quota."""

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Record scalar `metrics` at training step `step`."""
        ...

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Record the final `metrics` of the stage."""
        ...

    def fail(self, reason: str, trace: str) -> None:
        """Record that the stage failed: the `reason` in one line, and the traceback."""
        ...

    def close(self) -> None:
        """Flush and end the record."""
        ...


class SilentTracker:
    """Records nothing."""

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Ignore them."""

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Ignore them."""

    def fail(self, reason: str, trace: str) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Nothing to close."""
