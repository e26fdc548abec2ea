"""Stage `evaluate`: ask a model the questions of one benchmark, sighted and blind, and score the answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.benchmarks.hub.submissions import write_submission
from cambrian.benchmarks.material import Material, Shown, blocks, open_material
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
UNANSWERED_FILE = "unanswered.json"
"""Picture -> why it could not be shown, if there are such."""

log = logging.getLogger(__name__)


def run(recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Publish the questions and the raw answers, from which the score can be repeated without a model.

    A question whose picture cannot be shown counts as not answered.

    Raises:
        UserError: if the benchmark is not on this machine, or its data are not what they should be.
        Preempted: when told to stop.
    """
    device = prepare_device(context.runtime)
    places = tuple(inputs[role].path for role in encoder_roles(inputs))
    model = _load(inputs["model"].path, places, device)
    material = open_material(recipe, context.runtime)
    asking = _Asking(
        model=model,
        material=material,
        batch_size=context.runtime.micro_batch or BATCH_SIZE,
        max_new_tokens=recipe["benchmark"]["max_new_tokens"],
        context=context,
    )
    asked = material.questions
    predictions = [
        Prediction(id=question.id, vision=vision, prompt=question.prompt, raw=raw)
        for vision, answers in ((True, asking.sighted()), (False, asking.blind()))
        for question, raw in zip(asked, answers, strict=True)
    ]
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
    """Score the answers and keep their credits, or make them ready for who can."""
    if "unscored" not in benchmark:
        rules = rules_of(benchmark)
        scored = score(rules, asked, predictions)
        write_units(context.payload / UNITS_FILE, units_table(rules, asked, scored))
        return scored.metrics()
    write_submission(context.payload, benchmark["id"], predictions)
    return {"n": len(asked), "images": len({one.image for one in asked}), "unscored": benchmark["unscored"]}


@dataclass(kw_only=True)
class _Asking:
    """Asks one model all questions of one benchmark."""

    model: MultimodalLLM
    material: Material
    batch_size: int
    max_new_tokens: int
    context: StageContext
    faults: dict[str, str] = field(default_factory=dict)
    """Name of a picture that could not be shown -> why."""
    done: int = 0

    def sighted(self) -> list[str]:
        """Answer with the pictures, as many at a time as fit into memory; empty where one cannot be shown."""
        asked = self.material.questions
        answers = [""] * len(asked)
        for block in blocks(asked, self.model.views):
            names = list(dict.fromkeys(asked[index].image for index in block))
            shown = self.material.show(names, self.model.views)
            self.faults |= shown.faults
            good = [index for index in block if asked[index].image in shown.places]
            self.done += len(block) - len(good)
            requests = [_request(asked[index], shown) for index in good]
            for index, raw in zip(good, self._answer(requests, shown), strict=True):
                answers[index] = raw
        return answers

    def blind(self) -> list[str]:
        """Answer without any picture."""
        requests = [
            Request(id=question.id, question=question.prompt, image=None)
            for question in self.material.questions
        ]
        return self._answer(requests, None)

    def _answer(self, requests: Sequence[Request], shown: Shown | None) -> list[str]:
        before = self.done
        answers = answer(
            self.model,
            requests,
            partial(_pick, shown.pictures if shown else {}),
            vision=shown is not None,
            batch_size=self.batch_size,
            max_new_tokens=self.max_new_tokens,
            progress=lambda done, _: self._report(before + done),
        )
        self.done = before + len(requests)
        return answers

    def _report(self, done: int) -> None:
        """Tell how far it is; answers are not kept, so there is nothing to save when told to stop."""
        total = 2 * len(self.material.questions)
        if self.context.stopping():
            raise Preempted(f"left after {done} of {total} answers")
        self.context.progress(done, total)


@lru_cache(maxsize=1)
def _load(directory: Path, encoder_dirs: tuple[Path, ...], device: str) -> MultimodalLLM:
    """Load a finished model; all benchmarks of one model are asked in a row, so it is loaded once."""
    return load_trained(directory, encoder_dirs=encoder_dirs, device=device)


def _request(question: Question, shown: Shown) -> Request:
    place = shown.places[question.image]
    return Request(id=question.id, question=question.prompt, image=place, size=shown.sizes[place])


def _pick(
    pictures: Mapping[View, np.ndarray], indices: Sequence[int], views: Sequence[View]
) -> dict[View, np.ndarray]:
    return {view: pictures[view][list(indices)] for view in views}


def _wholeness(material: Material, faults: Mapping[str, str], context: StageContext) -> dict[str, int]:
    """Count what keeps this from being the score of the whole benchmark, and list it.

    Of all `total` questions, `unanswered` ones had no picture that could be shown.
    """
    if faults:
        log.warning("%d pictures cannot be shown, such as %s", len(faults), next(iter(faults.items())))
        (context.payload / UNANSWERED_FILE).write_text(json.dumps(faults, indent=1, sort_keys=True) + "\n")
    unanswered = sum(question.image in faults for question in material.questions)
    return {"total": material.total, "unanswered": unanswered}
