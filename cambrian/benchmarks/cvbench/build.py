"""From annotations to a folder that holds CV-Bench."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cambrian.benchmarks.cvbench import ade20k, coco, omni3d
from cambrian.benchmarks.cvbench.dataset import REPORT, write_questions
from cambrian.benchmarks.cvbench.drafts import Draft
from cambrian.benchmarks.cvbench.pictures import Gallery
from cambrian.benchmarks.cvbench.planar import propose_counts, propose_relations, survey
from cambrian.benchmarks.cvbench.rules import COUNT, DEPTH, DISTANCE, KINDS, RELATION, TASKS, Rules
from cambrian.benchmarks.cvbench.scenes import Collection, Fault, Scene
from cambrian.benchmarks.cvbench.selection import Propose, order_options, select
from cambrian.benchmarks.cvbench.spatial import propose_depth, propose_distance
from cambrian.directories import new_directory
from cambrian.errors import ConfigError, UserError

KIND_OF: Mapping[str, str] = {ade20k.SOURCE: "2D", coco.SOURCE: "2D", omni3d.SOURCE: "3D"}
"""Source -> the type of the questions that are made of it."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the annotations are; what is absent is not asked about."""

    coco: tuple[Path, Path] | None = None
    """File of instances, and folder of pictures."""
    ade20k: Path | None = None
    """Folder of JSON files beside pictures."""
    omni3d: Sequence[Path] = ()
    omni3d_pictures: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to make of them."""

    wanted: Mapping[str, int]
    """Task -> questions."""
    rules: Rules
    seed: int

    def __post_init__(self) -> None:
        faults = [f"{task}: {n} questions; at least 0" for task, n in self.wanted.items() if n < 0]
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True, kw_only=True)
class Built:
    """What was made: all questions in their order, and what could not be used."""

    drafts: Sequence[Draft]
    faults: Sequence[Fault]
    pictures: Mapping[str, int]
    """Source -> pictures whose annotations were read."""


def build(out: Path, sources: Sources, plan: Plan) -> Built:
    """Make CV-Bench in the new folder `out`.

    Raises:
        UserError: if there is no source, `out` exists already, or not one question may be asked.
        DataError: if annotations are not in their format.
    """
    with new_directory(out) as place:
        built = draft_questions(sources, plan)
        write_questions(place, built.drafts)
        report = json.dumps(report_of(built, plan), indent=1, ensure_ascii=False)
        (place / REPORT).write_text(report + "\n", encoding="utf-8")
    return built


def draft_questions(sources: Sources, plan: Plan) -> Built:
    """Choose the questions, in memory."""
    collections = _read(sources, plan.rules)
    if not collections:
        raise UserError("no annotations were named; give --coco, --ade20k or --omni3d")
    gallery, drafts = Gallery(), list[Draft]()
    for task in TASKS:
        asked = [one for one in collections if KIND_OF[one] == KINDS[task]]
        for number, source in enumerate(asked):
            wanted = (plan.wanted[task] + len(asked) - 1 - number) // len(asked)
            scenes = collections[source].scenes
            drafts += select(
                task,
                scenes,
                _propose(task, scenes, plan),
                wanted=wanted,
                gallery=gallery,
                rules=plan.rules,
                seed=plan.seed,
            )
    faults = [fault for one in collections.values() for fault in one.faults] + gallery.faults
    if not drafts:
        seen = sum(len(one.scenes) for one in collections.values())
        example = f", such as {faults[0]}" if faults else ""
        raise UserError(f"not one question can be asked: {seen} pictures, {len(faults)} faults{example}")
    return Built(
        drafts=order_options(drafts, plan.seed),
        faults=faults,
        pictures={source: len(one.scenes) for source, one in collections.items()},
    )


def report_of(built: Built, plan: Plan) -> dict[str, Any]:
    """How the data were made, for people; nothing reads it."""
    numbers = Counter((draft.task, draft.scene.source) for draft in built.drafts)
    answers = Counter((draft.task, draft.balance) for draft in built.drafts)
    return {
        "seed": plan.seed,
        "rules": asdict(plan.rules),
        "wanted": dict(plan.wanted),
        "pictures": dict(built.pictures),
        "questions": {f"{task} {source}": number for (task, source), number in sorted(numbers.items())},
        "answers": {f"{task} {answer}": number for (task, answer), number in sorted(answers.items())},
        "kinds_of_faults": dict(Counter(fault.kind for fault in built.faults).most_common()),
        "faults": [asdict(fault) for fault in built.faults],
    }


def notes_on(built: Built, plan: Plan) -> list[str]:
    """What lacks of the benchmark that was published, or asked for."""
    notes = []
    lacking = [name for name in KIND_OF if name not in built.pictures]
    flat = [name for name in lacking if KIND_OF[name] == "2D"]
    if len(flat) == 1:
        notes.append(f"without {flat[0]}, CV-Bench 2D is not the mean of two parts")
    if len(flat) == 2:
        notes.append(f"without {' or '.join(flat)} there are no count and no relation questions")
    if omni3d.SOURCE in lacking:
        notes.append(f"without {omni3d.SOURCE} there are no depth and no distance questions")
    kinds = {KIND_OF[name] for name in built.pictures}
    for task, wanted in plan.wanted.items():
        found = sum(draft.task == task for draft in built.drafts)
        if found < wanted and KINDS[task] in kinds:
            notes.append(f"{found} of {wanted} {task.lower()} questions; no more can be asked")
    return notes


def _read(sources: Sources, rules: Rules) -> dict[str, Collection]:
    """Source -> what is in it, without pictures that were there before."""
    found: dict[str, Collection] = {}
    if sources.ade20k is not None:
        found[ade20k.SOURCE] = ade20k.read_ade20k(sources.ade20k)
    if sources.coco is not None:
        found[coco.SOURCE] = coco.read_coco(*sources.coco)
    if sources.omni3d:
        if sources.omni3d_pictures is None:
            raise UserError("--omni3d needs --omni3d-images: the folder that its file paths begin in")
        found[omni3d.SOURCE] = omni3d.read_omni3d(sources.omni3d, sources.omni3d_pictures, rules)
    return {source: _without_repetitions(one) for source, one in found.items()}


def _without_repetitions(collection: Collection) -> Collection:
    scenes: dict[tuple[str, str], Scene] = {}
    faults = list(collection.faults)
    for scene in collection.scenes:
        if scenes.setdefault((scene.dataset, scene.name), scene) is not scene:
            faults.append(Fault(file=scene.dataset, record=scene.name, reason="the same picture again"))
    return Collection(scenes=tuple(scenes.values()), faults=tuple(faults))


def _propose(task: str, scenes: Sequence[Scene], plan: Plan) -> Propose:
    rules, seed = plan.rules, plan.seed
    if task == COUNT:
        return partial(propose_counts, around=survey(scenes), rules=rules, seed=seed)
    if task == RELATION:
        return partial(propose_relations, rules=rules)
    propose = {DEPTH: propose_depth, DISTANCE: propose_distance}[task]
    return partial(propose, rules=rules, seed=seed)
