"""The lab's tasks: which there are, which questions an image is trained with, which it is tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from cambrian.data.conversation import Turn
from cambrian.errors import UserError, unknown_name
from cambrian.lab import asking
from cambrian.lab.asking import YES_NO
from cambrian.lab.facts import FACTS, Candidate
from cambrian.lab.world import (
    COLOURS,
    COLUMNS,
    LETTERS,
    NUMBERS,
    ROWS,
    SHAPES,
    WORLD_VERSION,
    Scene,
    make_scene,
)

ANY = ("objects", "sign", "chart")


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """One row of the table of tasks; a task is a mini-benchmark."""

    name: str
    category: str
    """general, knowledge, ocr_chart or vision_centric, as in the paper."""
    ask: Callable[[Scene], list[Candidate]]
    kinds: tuple[str, ...]
    """Kinds of scenes that the task asks about."""
    answers: tuple[str, ...] = ()
    """All answers, equally frequent in tests; none where every answer is its own."""
    per_image: int = 1
    """Most questions of this task about one training image."""
    solved: bool = True
    """Whether the lab's LLM solves it from perfect symbolic input. If not, no encoder could pass, so it is
    neither a benchmark nor instruction data, and only the LLM's own pre-training practises it."""


_ROWS = (
    TaskRow(
        name="existence",
        category="general",
        ask=asking.existence,
        kinds=ANY,
        answers=YES_NO,
        per_image=2,
    ),
    TaskRow(
        name="attribute",
        category="general",
        ask=asking.attribute,
        kinds=("objects",),
        answers=COLOURS + SHAPES,
    ),
    TaskRow(
        name="composition", category="general", ask=asking.composition, kinds=("objects",), answers=YES_NO
    ),
    TaskRow(
        name="facts",
        category="knowledge",
        ask=asking.facts,
        kinds=ANY,
        answers=tuple(sorted({answer for _, _, answer in FACTS})),
    ),
    TaskRow(name="sums", category="knowledge", ask=asking.sums, kinds=ANY, answers=NUMBERS),
    TaskRow(
        name="text", category="ocr_chart", ask=asking.text, kinds=("sign",), answers=LETTERS, per_image=3
    ),
    TaskRow(name="spelling", category="ocr_chart", ask=asking.spelling, kinds=("sign",)),
    TaskRow(
        name="chart",
        category="ocr_chart",
        ask=asking.chart,
        kinds=("chart",),
        answers=NUMBERS[1:9],
        per_image=3,
    ),
    TaskRow(
        name="chart_extreme",
        category="ocr_chart",
        ask=asking.chart_extreme,
        kinds=("chart",),
        answers=COLOURS,
        per_image=2,
    ),
    TaskRow(
        name="count",
        category="vision_centric",
        ask=asking.count,
        kinds=("objects",),
        answers=NUMBERS[2:7],
    ),
    TaskRow(
        name="depth",
        category="vision_centric",
        ask=asking.depth,
        kinds=("objects",),
        answers=COLOURS,
        per_image=2,
    ),
    TaskRow(
        name="relation",
        category="vision_centric",
        ask=asking.relation,
        kinds=("objects",),
        answers=COLOURS,
        solved=False,
    ),
    TaskRow(
        name="location",
        category="vision_centric",
        ask=asking.location,
        kinds=("objects",),
        answers=ROWS + COLUMNS,
        per_image=2,
    ),
)
TASKS: dict[str, TaskRow] = {row.name: row for row in _ROWS}
SOLVED = tuple(row.name for row in _ROWS if row.solved)
"""The mini-benchmarks."""


@dataclass(frozen=True, kw_only=True)
class LabItem:
    """One test question."""

    id: str
    scene: Scene
    question: str
    answer: str
    options: tuple[str, ...]
    """The answers that make sense; empty where there are too many to list."""


def questions_for(scene: Scene, rng: Random, n: int, tasks: Sequence[str]) -> list[tuple[str, Turn]]:
    """Ask up to `n` different questions of `tasks` about a scene, as (task, turn) in random order."""
    rows = [row for row in map(task_row, tasks) if scene.kind in row.kinds]
    slots = [row for row in rows for _ in range(row.per_image)]
    rng.shuffle(slots)
    turns: dict[str, tuple[str, Turn]] = {}
    available: dict[str, dict[str, list[Candidate]]] = {}
    for row in slots:
        if len(turns) == n:
            break
        if row.name not in available:
            available[row.name] = _by_answer(row, scene)
        if available[row.name]:
            chosen = _choose(available[row.name], rng)
            turns[chosen.question] = (row.name, Turn(question=chosen.question, answer=chosen.answer))
    return list(turns.values())


def benchmark_items(task: str, n: int, seed: int) -> list[LabItem]:
    """Draw `n` questions on as many test scenes, with answers as equally frequent as can be.

    Raises:
        UserError: if there is no such task.
    """
    row = task_row(task)
    rng = Random(f"items/{WORLD_VERSION}/{seed}/{task}")  # noqa: S311
    wanted = _quotas(row, n, rng)
    items: list[LabItem] = []
    index = 0
    while len(items) < n:
        scene = make_scene(seed, "test", index)
        index += 1
        if scene.kind not in row.kinds:
            continue
        available = _by_answer(row, scene)
        open_answers = [answer for answer in available if not row.answers or wanted[answer] > 0]
        if open_answers:
            answer = max(open_answers, key=lambda answer: (wanted.get(answer, 0), rng.random()))
            if row.answers:
                wanted[answer] -= 1
            items.append(_item(row, f"{task}-{seed}-{len(items)}", scene, rng.choice(available[answer])))
    return items


def task_row(task: str) -> TaskRow:
    """Look up a task by its exact name.

    Raises:
        UserError: if there is no such task.
    """
    if task not in TASKS:
        raise UserError(unknown_name("lab task", task, TASKS))
    return TASKS[task]


def _item(row: TaskRow, name: str, scene: Scene, chosen: Candidate) -> LabItem:
    return LabItem(
        id=name,
        scene=scene,
        question=chosen.question,
        answer=chosen.answer,
        options=chosen.options or row.answers,
    )


def _by_answer(row: TaskRow, scene: Scene) -> dict[str, list[Candidate]]:
    grouped: dict[str, list[Candidate]] = {}
    for candidate in row.ask(scene):
        grouped.setdefault(candidate.answer, []).append(candidate)
    if row.answers == YES_NO and len(grouped) < len(YES_NO):
        # Asking only where both answers are possible keeps the kind of scene from giving the answer away.
        return {}
    return grouped


def _choose(available: Mapping[str, list[Candidate]], rng: Random) -> Candidate:
    return rng.choice(available[rng.choice(list(available))])


def _quotas(row: TaskRow, n: int, rng: Random) -> dict[str, int]:
    if not row.answers:
        return {}
    share, rest = divmod(n, len(row.answers))
    extra = set(rng.sample(row.answers, rest))
    return {answer: share + (answer in extra) for answer in row.answers}
