"""What a stage at scale=paper has to compute, and its FLOPs per sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from cambrian.sweep.connector_shapes import Connector
from cambrian.sweep.shapes import Encoder, Llm


@dataclass(frozen=True, kw_only=True)
class TextLength:
    """Text tokens per sample of a data set, beside the image's."""

    mean: int
    """Of the samples themselves, template included: what packing would cost."""
    padded: int
    """With the padding of a batch, as the released LLaVA code makes it: what an epoch costs there."""


TEXT: Mapping[str, TextLength] = MappingProxyType(
    {
        # LLaVA-1.5's 558K captions: a sentence of BLIP's, the longest of 32 on each GPU decides.
        "llava_558k": TextLength(mean=20, padded=40),
        # ShareGPT4V-PT's 1.2M captions: 826 characters on average (arXiv 2311.12793, table 1).
        "sharegpt4v_1.2m": TextLength(mean=190, padded=260),
        # Cambrian's 2.5M alignment data: ShareGPT4V-PT and captions like it.
        "cambrian_2.5m": TextLength(mean=190, padded=260),
        # LLaVA-1.5's 665K conversations: estimated, docs/cost_model.md says how.
        "llava_665k": TextLength(mean=300, padded=650),
        # 665K and 43K question-answer pairs on charts and documents.
        "cambrian_737k": TextLength(mean=300, padded=650),
        # Nothing is published on the lengths of Cambrian-7M and 10M; its code pads all samples to 2,048.
        "cambrian_7m": TextLength(mean=300, padded=1448),
    }
)
"""By data set."""


@dataclass(frozen=True, kw_only=True)
class TrainingWork:
    """One training stage. The connector is always trained."""

    encoders: tuple[Encoder, ...]
    connector: Connector
    llm: Llm
    samples: int
    text_tokens: int
    """Per sample, padding included."""
    supervised_tokens: int
    """Per sample, positions for which logits are formed."""
    train_encoders: bool = False
    trained_blocks: int | None = None
    """Of every encoder that trains, the last ones; None for all of it."""
    train_llm: bool = True
    checkpointing: bool = True
    """Activation checkpointing: the LLM's layers and a trained encoder's blocks are computed twice."""
    batch_size: int = 512
    micro_batch: int = 16
    """Samples per GPU that are computed at once, if they fit."""

    @property
    def kind(self) -> str:
        """What a correction measured on other stages holds for."""
        if not self.train_llm:
            return "align"
        return "tune unfrozen" if self.train_encoders else "tune"

    @property
    def tokens(self) -> int:
        """Length of one sample in the LLM."""
        return self.connector.tokens + self.text_tokens

    def trained_share(self, encoder: Encoder) -> float:
        """Part of an encoder that trains: its blocks count alike, what is beside them is neglected."""
        if not self.train_encoders:
            return 0.0
        count = sum(encoder.blocks)
        return 1.0 if self.trained_blocks is None else min(1.0, self.trained_blocks / count)


@dataclass(frozen=True, kw_only=True)
class EvaluationWork:
    """One model asked the questions of one benchmark, greedily."""

    encoders: tuple[Encoder, ...]
    connector: Connector
    llm: Llm
    questions: int
    prompt_tokens: int
    """Text, per question."""
    generated_tokens: int
    """Per question."""
    batch_size: int = 8

    @property
    def kind(self) -> str:
        """What a correction measured on other stages holds for."""
        return "evaluate"

    @property
    def tokens(self) -> int:
        """Length of one prompt in the LLM."""
        return self.connector.tokens + self.prompt_tokens


@dataclass(frozen=True, kw_only=True)
class Flops:
    """FLOPs of one sample, by part."""

    encoders: float
    connector: float
    llm: float
    head: float

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return self.encoders + self.connector + self.llm + self.head


@lru_cache(maxsize=1 << 16)
def training_flops(work: TrainingWork) -> Flops:
    """FLOPs of one sample, forward and backward.

    Backward costs twice the forward pass of trained weights, and once that of frozen ones which gradients
    have to cross: the LLM's while the connector is aligned. Attention has no weights, so its backward pass
    always costs twice. Frozen encoders lie below all that is trained and need no backward pass, nor do the
    frozen blocks of one that trains in part.
    """
    again = 1 if work.checkpointing else 0
    dense, attention = llm_forward(work.llm, work.tokens)
    backward = 2 if work.train_llm else 1
    head = 2 * work.llm.head_matrix * work.supervised_tokens
    return Flops(
        encoders=sum(
            encoder.flops * (1 + work.trained_share(encoder) * (2 + again)) for encoder in work.encoders
        ),
        connector=3 * work.connector.flops,
        llm=(1 + backward + again) * dense + (3 + again) * attention,
        head=(1 + backward) * head,
    )


@lru_cache(maxsize=1 << 16)
def prefill_flops(work: EvaluationWork) -> Flops:
    """FLOPs of one question up to its first generated token."""
    return Flops(
        encoders=sum(encoder.flops for encoder in work.encoders),
        connector=work.connector.flops,
        llm=sum(llm_forward(work.llm, work.tokens)),
        head=2 * work.llm.head_matrix,
    )


def llm_forward(llm: Llm, tokens: int) -> tuple[int, int]:
    """FLOPs of the layers' matrices, and of causal attention, for one sequence."""
    return 2 * llm.layers * llm.layer_matrix * tokens, 2 * llm.layers * llm.hidden * tokens**2
