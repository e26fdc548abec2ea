"""What the lab's language model knows of the world beyond pictures: a table of facts, and small sums."""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.lab.world import NUMBERS

PHRASINGS = {
    "corners": ("how many corners has the {}", "the {} has how many corners"),
    "legs": ("how many legs has the {}", "on how many legs stands the {}"),
    "sound": ("which sound makes the {}", "the {} makes which sound"),
    "food": ("what does the {} eat", "which food likes the {}"),
    "home": ("where does the {} live", "what is the home of the {}"),
    "child": ("what is a young {} called", "which child has the {}"),
}
"""Relation -> two ways to ask; `{}` is the subject."""

FACTS = (
    ("corners", "circle", "zero"),
    ("corners", "triangle", "three"),
    ("corners", "square", "four"),
    ("corners", "star", "ten"),
    ("legs", "fish", "zero"),
    ("legs", "bird", "two"),
    ("legs", "dog", "four"),
    ("legs", "ant", "six"),
    ("legs", "spider", "eight"),
    ("sound", "dog", "bark"),
    ("sound", "cat", "meow"),
    ("sound", "cow", "moo"),
    ("sound", "duck", "quack"),
    ("sound", "sheep", "bleat"),
    ("sound", "lion", "roar"),
    ("sound", "bee", "buzz"),
    ("sound", "horse", "neigh"),
    ("sound", "bird", "sing"),
    ("food", "cow", "grass"),
    ("food", "cat", "mice"),
    ("food", "bee", "nectar"),
    ("food", "monkey", "bananas"),
    ("food", "bear", "honey"),
    ("food", "rabbit", "carrots"),
    ("food", "horse", "hay"),
    ("food", "spider", "flies"),
    ("food", "bird", "seeds"),
    ("home", "bee", "hive"),
    ("home", "bird", "nest"),
    ("home", "spider", "web"),
    ("home", "horse", "stable"),
    ("home", "fish", "water"),
    ("home", "bear", "cave"),
    ("home", "rabbit", "burrow"),
    ("child", "dog", "puppy"),
    ("child", "cat", "kitten"),
    ("child", "cow", "calf"),
    ("child", "sheep", "lamb"),
    ("child", "horse", "foal"),
    ("child", "duck", "duckling"),
)
"""(relation, subject, answer)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A question with its one right answer."""

    question: str
    answer: str
    options: tuple[str, ...] = ()
    """The answers that make sense, where they depend on the question; else the task's answers do."""


def fact_candidates() -> list[Candidate]:
    """Every fact in every phrasing."""
    return [
        Candidate(question=phrasing.format(subject), answer=answer)
        for relation, subject, answer in FACTS
        for phrasing in PHRASINGS[relation]
    ]


def sum_candidates() -> list[Candidate]:
    """Every sum and difference of number words that stays between zero and ten."""
    numbers = range(len(NUMBERS))
    sums = [("plus", a, b, a + b) for a in numbers for b in numbers]
    differences = [("minus", a, b, a - b) for a in numbers for b in numbers]
    return [
        Candidate(question=f"what is {NUMBERS[a]} {sign} {NUMBERS[b]}", answer=NUMBERS[result])
        for sign, a, b, result in sums + differences
        if 0 <= result < len(NUMBERS)
    ]
