"""A small store with real questions of the lab, made answers, real scores, and the stages before them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fake_store import CREATED, manifest, put

from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    Question,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import score
from cambrian.benchmarks.suite import BENCHMARKS, questions
from cambrian.benchmarks.units import UNITS_FILE, units_table, write_units

ONE_OF_EACH = ("lab_existence", "lab_facts", "lab_text", "lab_count")
"""A benchmark of the lab per category."""
QUESTIONS = 12
ATTACK = (
    "</script><script>document.title='caught'</script><img src=x onerror=\"document.title='caught'\"><!--"
)
"""What a model might say to take over the page."""
HOST = "host<b>of</b>results"


def evaluate(
    store: Path,
    encoder: tuple[str, ...],
    benchmark: str,
    right: Sequence[int],
    *,
    axes: Mapping[str, Any] | None = None,
    wrong: str = "no idea",
    asked: Sequence[Question] | None = None,
) -> str:
    """One evaluation, the questions at `right` answered rightly, all others `wrong`; gives its model."""
    row = BENCHMARKS[benchmark]
    asked = questions(row, QUESTIONS, 0) if asked is None else asked
    said = [question.answer if number in right else wrong for number, question in enumerate(asked)]
    predictions = [
        Prediction(id=question.id, vision=vision, prompt=question.prompt, raw=raw if vision else "blind")
        for vision in (True, False)
        for question, raw in zip(asked, said, strict=True)
    ]
    scored = score(row, asked, predictions)
    record = manifest(encoder, benchmark, row.category, axes=axes, metrics=scored.metrics())
    record["recipe"] = {"benchmark": row.recipe(), "questions": QUESTIONS, "seed": 0}
    record["provenance"] |= {
        "host": HOST,
        "work": len(asked),
        "packages": {"torch": "2.6"},
        "python": "3.11.7",
    }
    place = put(store, record)
    write_questions(place / QUESTIONS_FILE, asked)
    write_predictions(place / PREDICTIONS_FILE, predictions)
    write_units(place / UNITS_FILE, units_table(row, asked, scored))
    return record["inputs"]["model"]


def train(store: Path, model: str, label: str, before: Mapping[str, str], *, seconds: float = 60.0) -> None:
    """The tune stage of a model, made from the stages `before` (role -> digest)."""
    _stage(store, "tune", model, label, before, seconds)


def align(store: Path, name: str, *, seconds: float, workers: int) -> str:
    """An align stage; gives its digest."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    _stage(store, "align", digest, f"align {name}", {}, seconds, workers)
    return digest


def fail(store: Path, message: str) -> None:
    """The record of a stage that failed."""
    stage = {
        "kind": "tune",
        "recipe": {},
        "inputs": {},
        "label": "tune mae sva",
        "axes": {},
        "work": 1.0,
        "recipe_json": "",
    }
    record = {
        "digest": "f" * 64,
        "failure_class": "numeric",
        "message": message,
        "attempts": 1,
        "host": HOST,
        "pid": 7,
        "time": CREATED,
        "log": f"tracking/{'f' * 64}.log",
        "stage": stage,
        "runtime": {"data": "/home/me/secret"},
    }
    path = store / "failed" / f"{'f' * 64}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def fill_answered(store: Path) -> None:
    """Three models with one first stage, on four benchmarks; one lacks a benchmark, and a stage failed."""
    shared = align(store, "siglip concat", seconds=30.0, workers=2)
    rights = {("siglip",): range(9), ("dinov2",): range(4, 10), ("mae",): range(6)}
    for encoder, right in rights.items():
        for benchmark in ONE_OF_EACH[: 3 if encoder == ("mae",) else 4]:
            model = evaluate(
                store, encoder, benchmark, right, wrong=ATTACK if encoder == ("mae",) else "no idea"
            )
        train(store, model, f"tune {encoder[0]} concat", {"connector": shared})
    fail(store, "NonFiniteLoss: <i>loss</i> is nan at step 1")


def _stage(
    store: Path,
    kind: str,
    digest: str,
    label: str,
    before: Mapping[str, str],
    seconds: float,
    workers: int = 1,
) -> None:
    place = store / kind / digest
    place.mkdir(parents=True)
    provenance = {
        "created": CREATED,
        "seconds": seconds,
        "workers": workers,
        "work": 100,
        "peak_memory_bytes": 2_000_000,
        "git": {"revision": "0123456789abcdef", "dirty": True},
        "host": HOST,
    }
    record = {
        "kind": kind,
        "digest": digest,
        "label": label,
        "axes": {},
        "inputs": dict(before),
        "code": {"fingerprint": "c0de" * 16},
        "provenance": provenance,
    }
    (place / "manifest.json").write_text(json.dumps(record))
