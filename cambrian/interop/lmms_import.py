"""From lmms-eval's answers to an evaluation in our store, by our rules; its own scores are kept beside."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from cambrian.benchmarks.hub.material import HubMaterial, open_hub_material
from cambrian.benchmarks.hub.places import contents_of
from cambrian.benchmarks.hub.prompts import LETTERS
from cambrian.benchmarks.hub.rows import HUB
from cambrian.benchmarks.matchers import find_matcher
from cambrian.benchmarks.pairing import list_some
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    Question,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import score
from cambrian.benchmarks.units import UNITS_FILE, units_table, write_units
from cambrian.errors import UserError
from cambrian.interop.lmms_samples import Report, Sample, read_samples
from cambrian.interop.lmms_tasks import QUESTIONS, Task
from cambrian.runtime import Runtime
from cambrian.stages.base import Artifact, Stage, digest_of
from cambrian.sweep.provenance import code_fingerprint, package_versions
from cambrian.sweep.store import Store

SOURCE = "lmms-eval"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An evaluation that came in."""

    artifact: Artifact
    left_out: int
    """Samples that are no part of the benchmark, such as MME's questions of cognition."""
    compared: int
    """Samples whose target could be held against our accepted answers; all that could agree."""


def import_samples(
    path: Path, task: Task, report: Report | None, axes: Mapping[str, Any], store: Store, runtime: Runtime
) -> Imported:
    """Score the answers of one file of samples and put them into the store as an evaluation.

    Args:
        path: the file.
        task: what it answers.
        report: what a results file says of the task.
        axes: the design of the model, as in manifests; the same axes are the same model.
        store: takes the evaluation.
        runtime: says where the benchmark's data are.

    Raises:
        UserError: if the benchmark's data are not here, or the samples are not answers to it.
    """
    row = HUB[task.benchmark]
    content = contents_of([row.id], runtime.data).get(row.id, "")
    material = open_hub_material(row, runtime, content=content, n=0, seed=0)
    samples = read_samples(path)
    if report is not None and report.documents and report.documents != len(samples):
        raise UserError(
            f"{path} has {len(samples)} samples, and the results file speaks of {report.documents}"
        )
    answered = match_samples(str(path), samples, task, material)
    asked = [question for question in material.questions if question.id in answered]
    if not asked:
        raise UserError(f"{path}: none of {len(samples)} samples is about a question of {row.id}")
    compared = check_targets(str(path), [(answered[one.id].target, one) for one in asked], row.matcher)
    predictions = [
        Prediction(id=one.id, vision=True, prompt=answered[one.id].prompt, raw=answered[one.id].raw)
        for one in asked
    ]
    scored = score(row, asked, predictions, blind=False)
    theirs = {f"theirs.{name}": value for name, value in (report.scores if report else {}).items()}
    metrics = {**scored.metrics(), **theirs, "total": material.total, "unanswered": 0}
    file = hashlib.sha256(path.read_bytes()).hexdigest()
    stage = _stage(
        row.recipe(content), axes, {"from": SOURCE, "task": task.name, "samples": file}, row.category
    )
    note = {"imported": SOURCE, "task": task.name, "file": path.name, **material.facts}
    artifact = store.find(stage.kind, stage.digest) or _publish(
        stage, store, (asked, predictions, units_table(row, asked, scored)), metrics, note
    )
    return Imported(artifact=artifact, left_out=len(samples) - len(asked), compared=compared)


def match_samples(
    place: str, samples: Sequence[Sample], task: Task, material: HubMaterial
) -> dict[str, Sample]:
    """Samples by the ids of the questions that they answer; what is no question of ours is left out.

    Raises:
        UserError: if a document comes twice, or is not in the split.
    """
    ids = (
        dict(enumerate(one.id for one in material.questions))
        if task.numbers == QUESTIONS
        else material.numbers
    )
    size = len(material.questions) if task.numbers == QUESTIONS else material.records
    counts = Counter(sample.document for sample in samples)
    twice = [str(document) for document, count in counts.items() if count > 1]
    beyond = [str(document) for document in counts if not 0 <= document < size]
    faults = {"more than once": twice, f"not among the {size} of {material.folder}": beyond}
    lines = [
        f"  - {len(found)} documents {what}: {list_some(found)}" for what, found in faults.items() if found
    ]
    if lines:
        raise UserError("\n".join([f"{place}: the samples do not fit {task.benchmark}:", *lines]))
    return {ids[sample.document]: sample for sample in samples if sample.document in ids}


def check_targets(place: str, pairs: Sequence[tuple[str, Question]], matcher: str) -> int:
    """Count the targets that are among our accepted answers; those in another form cannot be compared.

    Raises:
        UserError: if any is another answer: then the data are of another order or revision.
    """
    verdicts = [(_agrees(target, question, matcher), target, question) for target, question in pairs]
    wrong = [f"{one.id} ({target!r}, ours {one.answer!r})" for same, target, one in verdicts if same is False]
    if wrong:
        raise UserError(
            f"{place}: {len(wrong)} of {len(pairs)} targets are not the answers of this copy of the data; "
            f"its records are others or in another order: {list_some(wrong)}"
        )
    return sum(same is True for same, *_ in verdicts)


def _agrees(target: str, question: Question, matcher: str) -> bool | None:
    """Whether the target is an accepted answer, as it is written or read; None if nobody can tell."""
    accepted = [*question.answers, question.answer]
    if question.options and question.answer in LETTERS:
        accepted.append(question.options[LETTERS.index(question.answer)])
    given = target.strip().casefold()
    if given in {one.strip().casefold() for one in accepted}:
        return True
    if not given or given == "none" or given.startswith("["):
        return None
    wanted = find_matcher(matcher).wanted
    read = wanted(target, question.options)
    return None if read is None else read in {wanted(one, question.options) for one in accepted}


def _stage(
    benchmark: Mapping[str, Any], axes: Mapping[str, Any], source: Mapping[str, str], category: str
) -> Stage:
    model = digest_of({"imported": SOURCE, "axes": dict(axes)})
    return Stage(
        kind="evaluate",
        recipe={"benchmark": benchmark, "questions": 0, "seed": 0, "blind": False, "imported": source},
        inputs={"model": model},
        label=f"evaluate {'+'.join(axes['encoder'])} {benchmark['id']} imported",
        axes={**axes, "benchmark": benchmark["id"], "category": category},
    )


def _publish(
    stage: Stage,
    store: Store,
    files: tuple[Sequence[Question], Sequence[Prediction], pa.Table],
    metrics: Mapping[str, Any],
    note: Mapping[str, str],
) -> Artifact:
    made = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "packages": package_versions(),
        **note,
    }
    code = {"fingerprint": code_fingerprint(stage.kind)}
    with store.lease(stage.digest, stage.label) as lease:
        payload = store.payload(lease)
        write_questions(payload / QUESTIONS_FILE, files[0])
        write_predictions(payload / PREDICTIONS_FILE, files[1])
        write_units(payload / UNITS_FILE, files[2])
        return store.publish(stage, payload, metrics=metrics, code=code, provenance=made, lease=lease)
