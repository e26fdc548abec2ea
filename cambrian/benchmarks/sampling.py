"""A part of a benchmark for quick looks: whole pictures and whole groups, the same ones for the same seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from cambrian.benchmarks.records import Question


def sample(questions: Sequence[Question], n: int, seed: int) -> list[Question]:
    """Take at least `n` questions, in their order; all of them for `n` = 0.

    Questions of one group stay together, and so do those about one picture where there are no groups, so that
    every metric makes sense of the part. A larger `n` takes a superset.
    """
    if not n or n >= len(questions):
        return list(questions)
    members = Counter(map(_unit, questions))
    order = sorted(members, key=lambda unit: hashlib.sha256(f"{seed} {unit}".encode()).digest())
    taken: set[str] = set()
    count = 0
    for unit in order:
        if count >= n:
            break
        taken.add(unit)
        count += members[unit]
    return [question for question in questions if _unit(question) in taken]


def _unit(question: Question) -> str:
    return f"group {question.group}" if question.group else f"picture {question.image}"
