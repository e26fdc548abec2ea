"""What determines the result of a run: its design choices, typed; nothing of where or how fast it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from cambrian.benchmarks.answering import GENERATE

AXES = ("scale", "encoder", "supervision", "connector", "adapter", "vision", "instruct", "llm", "seed")
"""Names of the design choices by which runs are told apart."""
WITH, WITHOUT = RESPONSE_FORMATS = ("with", "without")
"""Values of `instruct.response_format`."""
PRETRAINED = "pretrained"
"""The objective of an encoder whose weights are imported."""


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
    """Side of the feature grid that it gives; what a real network gives itself is resized to it."""
    checkpoint: str | None = None
    """Where a copy of its weights is; its content is hashed, not its place."""
    measured: Mapping[str, int] | None = None
    """Sizes of one that is not in the table of real encoders, for its price."""

    @property
    def trainable(self) -> bool:
        """Whether it has weights at all."""
        return self.architecture["kind"] != "pixels"


@dataclass(frozen=True, kw_only=True)
class Language:
    """The language model: architecture and pre-training, or where it comes from."""

    name: str
    model: str
    """What stands for it at this scale: the lab's tiny LLM, or a model of the hub."""
    architecture: Mapping[str, Any]
    mixture: Mapping[str, Any]
    """What it is pre-trained on."""
    optimization: Mapping[str, Any]
    revision: str = "main"
    """Of a model of the hub."""
    template: str = "lab"
    """How it writes a conversation: a row of `cambrian.data.templates`."""
    content: str = ""
    """What a local model is known by, wherever it lies: a hash of its files. Empty for a model of the hub."""
    directory: str = ""
    """Where a local model was found."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Sizes and training settings that all runs of a scale share."""

    name: str
    world: Mapping[str, int]
    captions: int
    instructions: int
    context: int | None
    """Longest training example in tokens, what is beyond is cut off; None: what the LLM was made for."""
    align: Optimization
    tune: Optimization
    like: str | None = None
    """The scale whose sections its choices use, but for what a section of its own says."""
    part: float = 1.0
    """Of the examples that each data set has at that scale."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a mixture takes of one of its sources."""

    name: str
    """Of the catalog."""
    examples: int
    content: str
    """SHA-256, as of `Data`."""
    left_out: str
    file: str
    summary: str
    response_format: tuple[str, ...] = ()
    """Sentences on the form of the answer that its questions end with."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Training data of one stage."""

    name: str
    examples: int
    source: str | None
    """Data set of the study; None in the lab, whose world is the only source."""
    proxy: float = 1.0
    """Part of these examples that is used; below 1 it is for a first look."""
    part: float = 1.0
    """Part of the source that the scale uses, and that the examples are."""
    content: str = ""
    """SHA-256 of the file, what it is known by wherever it lies; empty if it is not on this machine."""
    left_out: str = ""
    """Hash of the numbers of the rows that cannot be used; empty if all can."""
    file: str = ""
    """Where it was found."""
    summary: str = ""
    """How many rows can be used, and why the others cannot."""
    parts: tuple[Part, ...] = ()
    """What it is mixed from, if its sources are files of their own."""
    absent: tuple[str, ...] = ()
    """Sources of the mixture that are not on this machine, if any is."""
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Source -> rows that the mixture takes of it; by the catalog where they are not all on this machine."""
    response_format: str = WITH
    """Whether questions of a mixture's sources say which form of answer they want: with, without."""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return bool(self.content or self.parts)


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """Which suite is asked, and how many questions of each benchmark."""

    name: str
    include: tuple[str, ...]
    """Suites or single benchmarks."""
    questions: int
    """Per benchmark; 0 asks all there are."""
    seed: int
    answering: str = GENERATE
    """How: one of `ANSWERINGS`."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """Benchmark -> what its local copy is known by, wherever it lies; others come from the hub."""


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
    vision_blocks: int | None = None
    """Blocks of an unfrozen encoder that train, the last ones; None for the whole encoder."""
    proxy: float = 1.0
    """Part of the examples that the run uses; below 1 it is a first look and no result."""

    @property
    def data(self) -> tuple[Data, Data]:
        """Of both training stages."""
        return self.adapter, self.instruct

    def at(self, proxy: float) -> Recipe:
        """Give the same run on the part `proxy` of its examples, in (0, 1]; `self` has to use all of them."""
        assert self.proxy == 1, "a proxy of a proxy"
        if proxy == 1:
            return self
        return replace(
            self,
            adapter=_part_of(self.adapter, proxy, self.scale.align.batch_size),
            instruct=_part_of(self.instruct, proxy, self.scale.tune.batch_size),
            proxy=proxy,
        )

    @cached_property
    def axes(self) -> dict[str, Any]:
        """The design choices, for labels, tables and figures: `AXES`.

        And `vision_blocks` where the encoder trains in part, `proxy` for a first look.
        """
        return {
            "scale": self.scale.name,
            "encoder": [encoder.name for encoder in self.encoders],
            "supervision": [encoder.supervision for encoder in self.encoders],
            "connector": self.connector,
            "adapter": self.adapter.name,
            "vision": self.vision,
            "instruct": self.instruct.name,
            # In the lab every LLM is the tiny one, and results say so.
            "llm": self.llm.model if self.scale.world else self.llm.name,
            "seed": self.seed,
            **({} if self.vision_blocks is None else {"vision_blocks": self.vision_blocks}),
            **({} if self.proxy == 1 else {"proxy": self.proxy}),
        }

    @cached_property
    def name(self) -> str:
        """Short readable name of the run."""
        encoders = "+".join(encoder.name for encoder in self.encoders)
        return (
            f"{encoders} {self.connector} {self.adapter.name} {self.freezing} {self.instruct.name} "
            f"s{self.seed}{self.mark}"
        )

    @property
    def freezing(self) -> str:
        """What of the encoders trains, for names: frozen, unfrozen, or such as `unfrozen last 4`."""
        return self.vision if self.vision_blocks is None else f"{self.vision} last {self.vision_blocks}"

    @property
    def mark(self) -> str:
        """What names of a first look end with; empty for all else."""
        return "" if self.proxy == 1 else f" proxy {self.proxy:g}"


@lru_cache(maxsize=4096)
def _part_of(data: Data, proxy: float, batch_size: int) -> Data:
    """Scale the number of examples, to at least a full batch if there is one; equal calls share theirs."""
    scaled = max(batch_size, round(data.examples * proxy))
    return replace(data, examples=min(data.examples, scaled), proxy=proxy)
