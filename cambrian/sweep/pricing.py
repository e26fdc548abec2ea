"""The price of a plan at scale=paper: each stage's work from its recipe, and the bill of the rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cambrian.hardware import GPUS, Gpu, find_gpu
from cambrian.recipe import Data, Recipe
from cambrian.runtime import Hardware
from cambrian.sweep.connector_shapes import Concat, Connector, Resampler, Sva
from cambrian.sweep.cost import Correction, Finished, Price, calibrate, correct, price
from cambrian.sweep.encoder_shapes import shape_of
from cambrian.sweep.feature_plan import Candidate
from cambrian.sweep.memory import Work, smallest_fit
from cambrian.sweep.plan import Plan
from cambrian.sweep.shapes import read_llm
from cambrian.sweep.work import TEXT, EvaluationWork, TrainingWork

SUPERVISED_TOKENS = 100
"""Answer tokens of a conversation, an assumption; a caption is supervised whole."""
PROMPT_TOKENS = 80
"""Of a question with its template, an assumption."""
ANSWER_TOKENS = 10
"""Of a short answer, an assumption."""

TEXT_OF = {
    "llava_558k": "llava_558k",
    "sharegpt4v_pt": "sharegpt4v_1.2m",
    "cambrian_alignment_2.5m": "cambrian_2.5m",
    "llava_665k": "llava_665k",
    "cambrian_737k": "cambrian_737k",
}
"""Data source -> row of the table of text lengths; all others are mixtures like Cambrian-7M."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """All pending stages of one kind."""

    stages: int
    gpu_hours: float
    low: float
    high: float
    disk_bytes: int
    memory_bytes: int
    """On each GPU, of the stage that needs most."""
    verdicts: Mapping[str, int]
    """Verdict -> stages."""


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What the rest of a plan costs."""

    hardware: Hardware
    prices: Mapping[str, Price]
    """By digest, of the pending stages that compute anything."""
    lines: Mapping[str, Line]
    """By kind."""
    corrections: Mapping[str, Correction]
    """By kind of work, from stages in the store that were priced and have run."""
    least_gpus: Mapping[str, int | None]
    """GPU type -> fewest GPUs on which every pending stage fits; None if none does."""
    features: tuple[Candidate, ...] = ()
    """Features of frozen encoders that are worth keeping for other stages."""

    @property
    def total(self) -> tuple[float, float, float]:
        """GPU-hours: estimate, low, high."""
        lines = self.lines.values()
        return (
            sum(line.gpu_hours for line in lines),
            sum(line.low for line in lines),
            sum(line.high for line in lines),
        )

    @property
    def features_bytes(self) -> float:
        """Of all features that are kept."""
        return sum(one.bytes for one in self.features)

    @property
    def disk_bytes(self) -> int:
        """What the pending stages leave, and the checkpoints of as many as run at the same time."""
        most = max((one.checkpoint_bytes for one in self.prices.values()), default=0)
        return sum(line.disk_bytes for line in self.lines.values()) + most * self.hardware.places


def align_work(recipe: Recipe) -> TrainingWork:
    """Work of the align stage of a run at scale=paper."""
    length = _text(recipe.adapter)
    return _training(recipe, recipe.adapter.examples, length, recipe.scale.align.batch_size, tuned=False)


def tune_work(recipe: Recipe) -> TrainingWork:
    """Work of the tune stage of a run at scale=paper."""
    length = _text(recipe.instruct)
    return _training(recipe, recipe.instruct.examples, length, recipe.scale.tune.batch_size, tuned=True)


def evaluation_work(recipe: Recipe, questions: int) -> EvaluationWork:
    """Work of asking a model of a run at scale=paper so many questions."""
    return EvaluationWork(
        encoders=tuple(shape_of(encoder) for encoder in recipe.encoders),
        connector=_connector(recipe),
        llm=read_llm(recipe.llm.architecture),
        questions=questions,
        prompt_tokens=PROMPT_TOKENS,
        generated_tokens=ANSWER_TOKENS,
    )


def make_bill(plan: Plan, works: Mapping[str, Work], hardware: Hardware) -> Bill:
    """Price the pending stages of `plan`, corrected by what finished ones took.

    Args:
        plan: what is to be done.
        works: work by digest, of the stages that compute anything.
        hardware: what it is to be done with.
    """
    gpu, each = find_gpu(hardware.gpu), hardware.gpus_per_stage
    corrections = calibrate(
        Finished(kind=works[digest].kind, predicted=price(works[digest], gpu, each).seconds, measured=seconds)
        for digest, seconds in plan.measured.items()
    )
    prices: dict[str, Price] = {}
    groups: dict[str, list[Price]] = defaultdict(list)
    for digest in plan.pending:
        if digest not in works:
            continue
        one = price(works[digest], gpu, each)
        if works[digest].kind in corrections:
            one = correct(one, corrections[works[digest].kind])
        prices[digest] = one
        groups[plan.stages[digest].kind].append(one)
    distinct = {works[digest] for digest in prices}
    return Bill(
        hardware=hardware,
        prices=prices,
        lines={kind: _line(ones) for kind, ones in groups.items()},
        corrections=corrections,
        least_gpus={name: _least(distinct, kind) for name, kind in GPUS.items()},
    )


def bill_as_dict(bill: Bill, wall_seconds: float) -> dict[str, Any]:
    """Describe `bill` in plain JSON values."""
    gpu_hours, low, high = bill.total
    return {
        "gpu": bill.hardware.gpu,
        "gpus": bill.hardware.gpus,
        "gpus_per_stage": bill.hardware.gpus_per_stage,
        "gpu_hours": round(gpu_hours, 2),
        "low": round(low, 2),
        "high": round(high, 2),
        "wall_hours": round(wall_seconds / 3600, 2),
        "disk_bytes": bill.disk_bytes,
        "features": {"sets": len(bill.features), "bytes": round(bill.features_bytes)},
        "least_gpus": dict(bill.least_gpus),
        "kinds": {
            kind: {
                "stages": line.stages,
                "gpu_hours": round(line.gpu_hours, 2),
                "low": round(line.low, 2),
                "high": round(line.high, 2),
                "memory_bytes": line.memory_bytes,
                "disk_bytes": line.disk_bytes,
                "verdicts": dict(line.verdicts),
            }
            for kind, line in bill.lines.items()
        },
        "stages": {
            digest: {"gpu_hours": round(one.gpu_hours, 3), "verdict": str(one.verdict)}
            for digest, one in bill.prices.items()
        },
    }


def _training(recipe: Recipe, samples: int, text: int, batch_size: int, *, tuned: bool) -> TrainingWork:
    return TrainingWork(
        encoders=tuple(shape_of(encoder) for encoder in recipe.encoders),
        connector=_connector(recipe),
        llm=read_llm(recipe.llm.architecture),
        samples=samples,
        text_tokens=text,
        supervised_tokens=min(SUPERVISED_TOKENS, text),
        train_encoders=tuned and recipe.vision == "unfrozen",
        trained_blocks=recipe.vision_blocks,
        train_llm=tuned,
        batch_size=batch_size,
    )


def _text(data: Data) -> int:
    return TEXT[TEXT_OF.get(data.source or "", "cambrian_7m")].padded


def _connector(recipe: Recipe) -> Connector:
    """Sizes of the connector of a run; pooling connectors count as projections of the same tokens."""
    settings = recipe.connector_settings
    shapes = [shape_of(encoder) for encoder in recipe.encoders]
    widths, llm_width = tuple(shape.width for shape in shapes), recipe.llm.architecture["hidden"]
    if settings["kind"] == "sva":
        inner = settings["aggregation"]
        return Sva(
            widths=widths,
            llm_width=llm_width,
            grids=tuple(encoder.grid for encoder in recipe.encoders),
            side=settings["side"],
            groups=tuple(settings["groups"]),
            depth=settings["depth"],
            width=settings["width"],
            aggregation=inner["layers"] if inner else 0,
            newline=settings["newline"],
        )
    tokens = settings["side"] ** 2
    if settings["kind"] == "resampler":
        sources = sum(encoder.grid**2 for encoder in recipe.encoders)
        return Resampler(widths=widths, llm_width=llm_width, sources=sources, tokens=tokens)
    return Concat(widths=widths, llm_width=llm_width, tokens=tokens)


def _line(prices: list[Price]) -> Line:
    return Line(
        stages=len(prices),
        gpu_hours=sum(one.gpu_hours for one in prices),
        low=sum(one.low for one in prices),
        high=sum(one.high for one in prices),
        disk_bytes=sum(one.disk_bytes for one in prices),
        memory_bytes=max(one.memory_bytes for one in prices),
        verdicts=Counter(str(one.verdict) for one in prices),
    )


def _least(works: Iterable[Work], gpu: Gpu) -> int | None:
    fits = [smallest_fit(work, gpu) for work in works]
    return None if None in fits else max((fit for fit in fits if fit is not None), default=0)
