"""Stage `evaluate`: ask a model the questions of one benchmark, sighted and blind, and score the answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from cambrian.benchmarks.hub.submissions import write_submission
from cambrian.benchmarks.material import Material, open_material
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    Question,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import rules_of, score
from cambrian.benchmarks.units import UNITS_FILE, units_table, write_units
from cambrian.model.assembly import load_trained
from cambrian.model.mllm import MultimodalLLM
from cambrian.preemption import Preempted
from cambrian.stages.asking import BATCH_SIZE, Asking
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.connecting import encoder_roles
from cambrian.stages.device import prepare_device
from cambrian.stages.kept_answers import KeptAnswers, model_fingerprint

UNANSWERED_FILE = "unanswered.json"
"""Picture -> why it could not be shown, if there are such."""

log = logging.getLogger(__name__)


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the questions and the raw answers, from which the score can be repeated without a model.

    A question whose picture cannot be shown counts as not answered. What the model was asked before, in an
    evaluation that was left or in another one, it is not asked again.

    Raises:
        UserError: if the benchmark is not on this machine, or its data are not what they should be.
        Preempted: when told to stop.
    """
    device = prepare_device(context.runtime)
    places = tuple(inputs[role].path for role in encoder_roles(inputs))
    fingerprint = model_fingerprint(inputs, device)
    material = open_material(recipe, context.runtime)
    asking = Asking(
        model=_load(inputs["model"].path, places, device, fingerprint),
        material=material,
        max_new_tokens=recipe["benchmark"]["max_new_tokens"],
        matcher=recipe["benchmark"]["matcher"] if "answering" in recipe else "",
        batch_size=context.runtime.micro_batch or BATCH_SIZE,
        kept=KeptAnswers(context.runtime.cache / "answers", fingerprint),
        report=partial(_report, context),
    )
    asked, predictions = material.questions, asking.predictions()
    context.note(_pace(asking))
    write_questions(context.payload / QUESTIONS_FILE, asked)
    write_predictions(context.payload / PREDICTIONS_FILE, predictions)
    metrics = _judge(recipe["benchmark"], asked, predictions, context)
    if not material.total:
        return metrics
    context.note(material.facts)
    return {**metrics, **_wholeness(material, asking.faults, context)}


def _judge(
    benchmark: Mapping[str, Any],
    asked: Sequence[Question],
    predictions: Sequence[Prediction],
    context: StageContext,
) -> dict[str, Any]:
    """Score the answers, or make them ready for who can."""
    if "unscored" not in benchmark:
        rules = rules_of(benchmark)
        scored = score(rules, asked, predictions)
        write_units(context.payload / UNITS_FILE, units_table(rules, asked, scored))
        return scored.metrics()
    write_submission(context.payload, benchmark["id"], predictions)
    return {"n": len(asked), "images": len({one.image for one in asked}), "unscored": benchmark["unscored"]}


def _report(context: StageContext, done: int, total: int) -> None:
    """Tell how far it is; the answers so far are kept, and found when the stage is made again."""
    if context.stopping():
        raise Preempted(f"left after {done} of {total} answers")
    context.progress(done, total)


def _pace(asking: Asking) -> dict[str, float]:
    """Say how many questions the model answered, how fast, and how many it did not have to be asked."""
    pace = {"answers_per_second": round(asking.asked / asking.seconds, 2)} if asking.asked else {}
    return {"answers_given": asking.asked, "answers_spared": asking.spared, **pace}


@lru_cache(maxsize=1)
def _load(directory: Path, encoder_dirs: tuple[Path, ...], device: str, fingerprint: str) -> MultimodalLLM:
    """Load a finished model; all benchmarks of one model are asked in a row, so it is loaded once.

    By its `fingerprint` another one in the same place is told apart.
    """
    return load_trained(directory, encoder_dirs=encoder_dirs, device=device)


def _wholeness(material: Material, faults: Mapping[str, str], context: StageContext) -> dict[str, int]:
    """Count what keeps this from being the score of the whole benchmark, and list it.

    Of all `total` questions, `unanswered` ones had no picture that could be shown.
    """
    if faults:
        log.warning("%d pictures cannot be shown, such as %s", len(faults), next(iter(faults.items())))
        (context.payload / UNANSWERED_FILE).write_text(json.dumps(faults, indent=1, sort_keys=True) + "\n")
    unanswered = sum(question.image in faults for question in material.questions)
    return {"total": material.total, "unanswered": unanswered}
