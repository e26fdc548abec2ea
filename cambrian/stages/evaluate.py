"""Stage `evaluate`: ask a model the questions of one benchmark, sighted and blind, and score the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import rules_of, score
from cambrian.benchmarks.suite import BENCHMARKS, images, questions
from cambrian.data.pictures import View
from cambrian.model.assembly import load_trained
from cambrian.model.generation import Request, answer
from cambrian.model.mllm import MultimodalLLM
from cambrian.preemption import Preempted
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.connecting import encoder_roles
from cambrian.stages.device import prepare_device

BATCH_SIZE = 64
"""Prompts answered at the same time; answers do not depend on it."""


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the questions and the raw answers, from which the score can be repeated without a model."""
    device = prepare_device(context.runtime)
    places = tuple(inputs[role].path for role in encoder_roles(inputs))
    model = _load(inputs["model"].path, places, device)
    benchmark = BENCHMARKS[recipe["benchmark"]["id"]]
    asked = questions(benchmark, recipe["questions"], recipe["seed"])
    requests = [
        Request(id=question.id, question=question.prompt, image=index) for index, question in enumerate(asked)
    ]
    pictures = {
        resolution: images(benchmark, recipe["questions"], recipe["seed"], resolution)
        for resolution in {view.resolution for view in model.views}
    }
    predictions = []
    for passes, vision in enumerate((True, False)):
        answers = answer(
            model,
            requests,
            partial(_pick, pictures),
            vision=vision,
            batch_size=context.runtime.micro_batch or BATCH_SIZE,
            max_new_tokens=recipe["benchmark"]["max_new_tokens"],
            progress=partial(_report, context, passes),
        )
        predictions += [
            Prediction(id=question.id, vision=vision, prompt=question.prompt, raw=raw)
            for question, raw in zip(asked, answers, strict=True)
        ]
    write_questions(context.payload / QUESTIONS_FILE, asked)
    write_predictions(context.payload / PREDICTIONS_FILE, predictions)
    return score(rules_of(recipe["benchmark"]), asked, predictions).metrics()


@lru_cache(maxsize=1)
def _load(directory: Path, encoder_dirs: tuple[Path, ...], device: str) -> MultimodalLLM:
    """Load a finished model; all benchmarks of one model are asked in a row, so it is loaded once."""
    return load_trained(directory, encoder_dirs=encoder_dirs, device=device)


def _report(context: StageContext, passes: int, done: int, total: int) -> None:
    """Tell how far it is; answers are not kept, so there is nothing to save when told to stop."""
    if context.stopping():
        raise Preempted(f"left after {passes * total + done} of {2 * total} answers")
    context.progress(passes * total + done, 2 * total)


def _pick(
    pictures: Mapping[int, np.ndarray], indices: Sequence[int], views: Sequence[View]
) -> dict[View, np.ndarray]:
    return {view: pictures[view.resolution][list(indices)] for view in views}
