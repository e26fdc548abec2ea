"""Which of all questions that may be asked are asked, and in which order their options come."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from cambrian.benchmarks.cvbench.drafts import Draft, dice, rank, shuffled
from cambrian.benchmarks.cvbench.pictures import Gallery
from cambrian.benchmarks.cvbench.planar import ABSENT
from cambrian.benchmarks.cvbench.rules import COUNT, Rules
from cambrian.benchmarks.cvbench.scenes import Scene

Propose = Callable[[Scene], Sequence[Draft]]


def select(
    task: str,
    scenes: Iterable[Scene],
    propose: Propose,
    *,
    wanted: int,
    gallery: Gallery,
    rules: Rules,
    seed: int,
) -> list[Draft]:
    """Take one question of a task from each picture until there are as many as `wanted`.

    Pictures come in an order that the seed decides and the order of the files does not. Of the questions that
    a picture allows, one is taken whose answer (side, number, colour of the nearer object) has been the
    rarest so far. Pictures that cannot be shown are passed over.
    """
    used: Counter[str] = Counter()
    taken: list[Draft] = []
    for scene in sorted(scenes, key=lambda one: rank(seed, task, one.dataset, one.name)):
        if len(taken) == wanted:
            break
        full = used[ABSENT] + 1 > rules.max_absent * (len(taken) + 1)
        drafts = [one for one in propose(scene) if not (task == COUNT and full and one.balance == ABSENT)]
        if not drafts or not gallery.has(scene):
            continue
        drafts.sort(key=lambda one: rank(seed, one.question, one.answer, one.frames))
        draft = min(drafts, key=lambda one: used[one.balance])
        used[draft.balance] += 1
        taken.append(draft)
    return taken


def order_options(drafts: Sequence[Draft], seed: int) -> list[Draft]:
    """Put the options of all questions in random order, with the answer equally often at each letter.

    Equally often among the questions of a task with the same number of options, to one.
    """
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, draft in enumerate(drafts):
        groups[draft.task, len(draft.choices)].append(number)
    ordered = list(drafts)
    for (_, options), members in groups.items():
        for turn, number in enumerate(sorted(members, key=lambda one: _name(drafts[one], seed))):
            draft = drafts[number]
            throw = dice(_name(draft, seed))
            choices = shuffled(draft.choices, draft.answer, turn % options, throw)
            ordered[number] = replace(draft, choices=choices)
    return ordered


def _name(draft: Draft, seed: int) -> str:
    return rank(seed, "options", draft.task, draft.scene.dataset, draft.scene.name, draft.question)
