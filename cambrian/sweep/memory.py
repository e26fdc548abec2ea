"""Whether a stage fits a GPU, and what it leaves on disk."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from cambrian.hardware import Gpu
from cambrian.memory import FROZEN_BYTES, TRAINED_BYTES, fits_whole
from cambrian.sweep.work import EvaluationWork, TrainingWork

CHECKPOINT_BYTES = 12
"""Per trained parameter: float32 weight and two moments."""
CHECKPOINTS = 3
"""On disk at once: the two that are kept and the one being written."""
ANSWER_BYTES = 500
"""Of one stored answer, an assumption."""
LOGIT_BYTES = 12
"""Per logit in training: bfloat16, its float32 copy and log-softmax, bfloat16 gradient."""
VALUE_BYTES = 2
"""Per activation: bfloat16."""
USABLE = 0.9
"""Of the GPU's memory; the rest is the driver's, the communication buffers' and lost to fragmentation."""

Work = TrainingWork | EvaluationWork


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes on each GPU at the peak."""

    states: float
    """Weights, gradients, optimizer."""
    gathered: float
    """Whole weights of the layers at work, when states are sharded."""
    activations: float
    logits: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.states + self.gathered + self.activations + self.logits


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a stage fits the GPUs it was priced on, and how."""

    fits: bool
    gpus: int
    """That it was priced on."""
    micro_batch: int
    """Largest that fits, at most the one asked for; 1 if none does."""
    reduced: bool
    """Whether that is less than asked for."""
    sharded: bool
    """Whether weights, gradients and optimizer have to be divided over the GPUs."""
    least_gpus: int | None
    """Fewest that it fits on; None if no number helps."""

    def __str__(self) -> str:
        if not self.fits:
            if self.least_gpus is None:
                return "does not fit on any number: one sample alone is too large"
            return f"does not fit, needs at least {self.least_gpus} GPUs, sharded"
        batch = f" with micro-batch {self.micro_batch}" if self.reduced else ""
        return f"fits{batch}{', sharded' if self.sharded else ''}"


def training_memory(work: TrainingWork, *, gpus: int, sharded: bool, micro_batch: int) -> Memory:
    """Bytes on each GPU; whatever cannot be known (which tensors are alive together) is taken as the sum."""
    llm = work.llm
    whole = TRAINED_BYTES * work.connector.parameters
    divided = (TRAINED_BYTES if work.train_llm else FROZEN_BYTES) * llm.parameters
    seen = sum(encoder.parameters for encoder in work.encoders)
    if work.train_encoders:
        divided += TRAINED_BYTES * seen
    else:
        whole += FROZEN_BYTES * seen
    unit = max(llm.layer_matrix, llm.head_matrix)
    layer = llm.saved_values * work.tokens
    inputs = llm.layers * llm.hidden * work.tokens
    values = inputs + layer if work.checkpointing else llm.layers * layer
    if not work.train_encoders:
        values += max(encoder.largest_block for encoder in work.encoders)
    elif work.checkpointing:
        values += sum(work.trained_share(encoder) * encoder.block_inputs for encoder in work.encoders)
        values += max(encoder.largest_block for encoder in work.encoders)
    else:
        values += sum(work.trained_share(encoder) * encoder.saved_values for encoder in work.encoders)
    values += work.connector.saved_values
    return Memory(
        states=whole + divided / (gpus if sharded else 1),
        # This layer's weights and the next one's, and this layer's gradient if it has one.
        gathered=VALUE_BYTES * unit * (3 if work.train_llm else 2) if sharded else 0,
        activations=VALUE_BYTES * micro_batch * values,
        logits=LOGIT_BYTES * micro_batch * work.supervised_tokens * llm.vocabulary,
    )


def evaluation_memory(work: EvaluationWork, *, gpus: int, sharded: bool, micro_batch: int) -> Memory:
    """Bytes on each GPU: weights, keys and values of the batch, one layer at work on the prompts."""
    llm = work.llm
    values = llm.saved_values * work.tokens + max(encoder.largest_block for encoder in work.encoders)
    share = gpus if sharded else 1
    cache = cache_bytes(work) * micro_batch / share
    return Memory(
        states=FROZEN_BYTES * _all_parameters(work) / share,
        gathered=0,
        activations=cache + VALUE_BYTES * micro_batch * values,
        logits=(VALUE_BYTES + 4) * micro_batch * llm.vocabulary,
    )


def cache_bytes(work: EvaluationWork) -> int:
    """Keys and values of one question and its answer."""
    llm = work.llm
    return 2 * VALUE_BYTES * llm.layers * llm.key_value_width * (work.tokens + work.generated_tokens)


def peak_memory(work: Work, *, gpus: int, sharded: bool, micro_batch: int) -> Memory:
    """Bytes on each GPU of either kind of stage."""
    if isinstance(work, TrainingWork):
        return training_memory(work, gpus=gpus, sharded=sharded, micro_batch=micro_batch)
    return evaluation_memory(work, gpus=gpus, sharded=sharded, micro_batch=micro_batch)


@lru_cache(maxsize=1 << 16)
def judge(work: Work, gpu: Gpu, gpus: int) -> tuple[Verdict, Memory]:
    """Find the largest micro-batch that fits, whole models before sharded ones, and its memory.

    Training is sharded where `fits_whole` says so, as it is when it runs, or where nothing else helps.
    """
    asked = _asked(work, gpus)
    for sharded in _ways(work, gpu, gpus):
        micro_batch = asked
        while micro_batch >= 1:
            memory = peak_memory(work, gpus=gpus, sharded=sharded, micro_batch=micro_batch)
            if memory.total <= USABLE * gpu.memory:
                verdict = Verdict(
                    fits=True,
                    gpus=gpus,
                    micro_batch=micro_batch,
                    reduced=micro_batch < asked,
                    sharded=sharded,
                    least_gpus=smallest_fit(work, gpu),
                )
                return verdict, memory
            micro_batch //= 2
    verdict = Verdict(
        fits=False,
        gpus=gpus,
        micro_batch=1,
        reduced=asked > 1,
        sharded=gpus > 1,
        least_gpus=smallest_fit(work, gpu),
    )
    return verdict, peak_memory(work, gpus=gpus, sharded=gpus > 1, micro_batch=1)


def _ways(work: Work, gpu: Gpu, gpus: int) -> tuple[bool, ...]:
    """Whether to shard: what to try, in this order."""
    if gpus == 1:
        return (False,)
    if isinstance(work, EvaluationWork):
        return (False, True)
    trained = trained_parameters(work)
    whole = fits_whole(trained=trained, frozen=_all_parameters(work) - trained, memory=gpu.memory)
    return (False, True) if whole else (True,)


@lru_cache(maxsize=1 << 16)
def smallest_fit(work: Work, gpu: Gpu) -> int | None:
    """Fewest GPUs on which it fits with a micro-batch of one; None if no number helps."""
    usable = USABLE * gpu.memory
    if peak_memory(work, gpus=1, sharded=False, micro_batch=1).total <= usable:
        return 1
    one, two = (peak_memory(work, gpus=n, sharded=True, micro_batch=1).total for n in (1, 2))
    divided = 2 * (one - two)  # shrinks with the number of GPUs
    rest = one - divided
    if rest >= usable:
        return None
    least = max(2, math.ceil(divided / (usable - rest)))
    return least if least <= _most_gpus(work) else None


def artifact_bytes(work: Work) -> int:
    """What the finished stage leaves in the store: trained weights, or answers.

    An encoder that trains in part is stored as a whole.
    """
    if isinstance(work, EvaluationWork):
        return ANSWER_BYTES * work.questions
    return FROZEN_BYTES * trained_parameters(replace(work, trained_blocks=None))


def checkpoint_bytes(work: Work) -> int:
    """What lies on disk in addition while the stage runs."""
    if isinstance(work, EvaluationWork):
        return 0
    return CHECKPOINTS * CHECKPOINT_BYTES * trained_parameters(work)


def trained_parameters(work: TrainingWork) -> int:
    """Parameters with a gradient."""
    encoders = round(sum(work.trained_share(encoder) * encoder.parameters for encoder in work.encoders))
    return work.connector.parameters + encoders + (work.llm.parameters if work.train_llm else 0)


def _all_parameters(work: Work) -> int:
    encoders = sum(encoder.parameters for encoder in work.encoders)
    return encoders + work.connector.parameters + work.llm.parameters


def _asked(work: Work, gpus: int) -> int:
    if isinstance(work, EvaluationWork):
        return work.batch_size
    return max(1, min(work.micro_batch, work.batch_size // gpus))


def _most_gpus(work: Work) -> int:
    """More cannot be put to use: one sample on each, or for evaluation one layer."""
    return work.batch_size if isinstance(work, TrainingWork) else work.llm.layers
