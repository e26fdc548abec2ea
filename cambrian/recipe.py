"""What determines the result of a run: its design choices, typed; nothing of where or how fast it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

AXES = ("scale", "encoder", "supervision", "connector", "adapter", "vision", "instruct", "llm", "seed")
"""Names of the design choices by which runs are told apart."""


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """Settings of one training stage. Rates are peak rates of a cosine schedule with linear warm-up."""

    batch_size: int
    """Examples per optimizer step, over all workers and micro-batches."""
    lr: Mapping[str, float]
    """Peak learning rate per parameter group."""
    weight_decay: float
    warmup_fraction: float
    betas: tuple[float, float]
    clip: float
    """Largest norm of the gradient."""
    steps: int = 0
    """Optimizer steps; 0 where the number of examples decides."""


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One vision encoder at one scale."""

    name: str
    supervision: str
    """language, self, other; or control for encoders that learnt nothing."""
    architecture: Mapping[str, Any]
    objective: Mapping[str, Any]
    optimization: Mapping[str, Any]
    """Pre-training; empty for the controls."""
    grid: int
    """Side of the feature grid that the architecture gives."""

    @property
    def trainable(self) -> bool:
        """Whether it has weights at all."""
        return self.architecture["kind"] != "pixels"


@dataclass(frozen=True, kw_only=True)
class Language:
    """The language model: architecture and pre-training."""

    name: str
    model: str
    """What stands for it at this scale: the lab's tiny LLM, or a model of the hub."""
    architecture: Mapping[str, Any]
    mixture: Mapping[str, Any]
    """What it is pre-trained on."""
    optimization: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Sizes and training settings that all runs of a scale share."""

    name: str
    world: Mapping[str, int]
    captions: int
    instructions: int
    align: Optimization
    tune: Optimization


@dataclass(frozen=True, kw_only=True)
class Data:
    """Training data of one stage."""

    name: str
    examples: int
    source: str | None
    """Data set of the study; None in the lab, whose world is the only source."""


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """Which suite is asked, and how many questions of each benchmark."""

    name: str
    include: tuple[str, ...]
    """Suites or single benchmarks."""
    questions: int
    """Per benchmark; 0 asks all there are."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that determines the result of a run."""

    encoders: tuple[Encoder, ...]
    connector: str
    connector_settings: Mapping[str, Any]
    adapter: Data
    """Captions for the connector's own training; no examples means no such stage."""
    vision: str
    vision_lr: float
    """0 when the encoder is frozen."""
    instruct: Data
    llm: Language
    scale: Scale
    benchmarks: Benchmarks
    seed: int

    @cached_property
    def axes(self) -> dict[str, Any]:
        """The design choices, for labels, tables and figures; keys are `AXES`."""
        return {
            "scale": self.scale.name,
            "encoder": [encoder.name for encoder in self.encoders],
            "supervision": [encoder.supervision for encoder in self.encoders],
            "connector": self.connector,
            "adapter": self.adapter.name,
            "vision": self.vision,
            "instruct": self.instruct.name,
            "llm": self.llm.name,
            "seed": self.seed,
        }

    @cached_property
    def name(self) -> str:
        """Short readable name of the run."""
        encoders = "+".join(encoder.name for encoder in self.encoders)
        return (
            f"{encoders} {self.connector} {self.adapter.name} {self.vision} {self.instruct.name} s{self.seed}"
        )
