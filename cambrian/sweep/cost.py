"""The price of a stage at scale=paper before it is run: GPU-hours with a range, memory, disk.

How it is derived and what it was checked against: docs/cost_model.md.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from cambrian.errors import UserError
from cambrian.hardware import Gpu
from cambrian.memory import FROZEN_BYTES
from cambrian.sweep.memory import (
    Verdict,
    Work,
    artifact_bytes,
    cache_bytes,
    checkpoint_bytes,
    judge,
)
from cambrian.sweep.work import EvaluationWork, TrainingWork, prefill_flops, training_flops

UTILISATION = 0.49
"""Share of the GPU's peak that training reaches, recomputation counted as work. Fitted to LLaVA-1.5's four
published times; the only constant that is."""
FASTEST, SLOWEST = 0.55, 0.27
"""Ends of the range: utilisation of the fastest and slowest of twelve published runs, rounded outwards."""
UNFREEZING = 1.5
"""Time of a stage that trains its encoders over what its FLOPs say. Fitted to one report, unexplained."""
DECODING = 0.4
"""Share of the memory's bandwidth that generation reaches, an assumption."""
EVALUATION_RANGE = (0.5, 3.0)
"""Ends of an evaluation's range as multiples of the estimate, an assumption."""
MARGIN = 0.25
"""Spread that a single measured stage leaves; it shrinks with the root of their number."""

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Price:
    """What one stage costs."""

    gpu_hours: float
    low: float
    """GPU-hours, if it goes as well as it ever did."""
    high: float
    """GPU-hours, if it goes as badly as a published run."""
    seconds: float
    """Wall-clock on the given number of GPUs."""
    memory_bytes: int
    """Peak on each GPU, in the way that the verdict says."""
    verdict: Verdict
    disk_bytes: int
    """What stays in the store."""
    checkpoint_bytes: int
    """What lies on disk in addition while it runs."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A stage that was priced and has run."""

    kind: str
    """As `TrainingWork.kind` says; stages are only compared with their own kind."""
    predicted: float
    """Seconds."""
    measured: float
    """Seconds."""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """By what the estimates of a kind have to be multiplied, from stages that have run."""

    factor: float
    """Median of measured over predicted seconds."""
    low: float
    high: float
    stages: int


@lru_cache(maxsize=1 << 16)
def price(work: Work, gpu: Gpu, gpus: int) -> Price:
    """Price one stage on `gpus` GPUs of one type, all of them at work all the time.

    A stage that does not fit is priced as if it did; its verdict says so.

    Raises:
        UserError: if there is no GPU.
    """
    if gpus < 1:
        raise UserError(f"a stage is priced on at least 1 GPU, got {gpus}; give the cluster some")
    if isinstance(work, TrainingWork):
        estimate, low, high = _training_seconds(work, gpu)
    else:
        estimate, low, high = _evaluation_seconds(work, gpu)
    verdict, memory = judge(work, gpu, gpus)
    return Price(
        gpu_hours=estimate / HOUR,
        low=low / HOUR,
        high=high / HOUR,
        seconds=estimate / gpus,
        memory_bytes=math.ceil(memory.total),
        verdict=verdict,
        disk_bytes=artifact_bytes(work),
        checkpoint_bytes=checkpoint_bytes(work),
    )


def _training_seconds(work: TrainingWork, gpu: Gpu) -> tuple[float, float, float]:
    """Seconds of one GPU: estimate, low, high. The unexplained cost of unfreezing is left out of low."""
    at_peak = work.samples * training_flops(work).total / gpu.flops
    slower = UNFREEZING if work.train_encoders else 1.0
    return slower * at_peak / UTILISATION, at_peak / FASTEST, slower * at_peak / SLOWEST


def _evaluation_seconds(work: EvaluationWork, gpu: Gpu) -> tuple[float, float, float]:
    """Seconds of one GPU: prompts at training's utilisation, then tokens that wait for weights and caches."""
    prefill = prefill_flops(work).total / (gpu.flops * UTILISATION)
    moved = FROZEN_BYTES * work.llm.parameters / work.batch_size + cache_bytes(work)
    computed = 2 * work.llm.parameters / (gpu.flops * UTILISATION)
    token = max(moved / (gpu.bandwidth * DECODING), computed)
    estimate = work.questions * (prefill + work.generated_tokens * token)
    return estimate, estimate * EVALUATION_RANGE[0], estimate * EVALUATION_RANGE[1]


def calibrate(finished: Iterable[Finished]) -> dict[str, Correction]:
    """Compare measured with predicted seconds, kind by kind; kinds that never ran are missing.

    The spread goes from the least to the greatest ratio (of ten or more, the 10th and the 90th percentile),
    widened by a margin that shrinks with the number of stages.

    Raises:
        UserError: if a time is not positive.
    """
    ratios: dict[str, list[float]] = defaultdict(list)
    for stage in finished:
        if stage.predicted <= 0 or stage.measured <= 0:
            raise UserError(
                f"a finished stage of kind '{stage.kind}' has {stage.predicted} predicted and "
                f"{stage.measured} measured seconds; both must be positive, leave it out"
            )
        ratios[stage.kind].append(stage.measured / stage.predicted)
    return {kind: _correction(sorted(values)) for kind, values in ratios.items()}


def _correction(ratios: list[float]) -> Correction:
    margin = 1 + MARGIN / len(ratios) ** 0.5
    tenths = statistics.quantiles(ratios, n=10, method="inclusive") if len(ratios) >= 10 else ratios
    return Correction(
        factor=statistics.median(ratios),
        low=tenths[0] / margin,
        high=tenths[-1] * margin,
        stages=len(ratios),
    )


def correct(estimate: Price, correction: Correction) -> Price:
    """Replace the published range by what stages of the same kind took here."""
    return replace(
        estimate,
        gpu_hours=estimate.gpu_hours * correction.factor,
        low=estimate.gpu_hours * correction.low,
        high=estimate.gpu_hours * correction.high,
        seconds=estimate.seconds * correction.factor,
    )
