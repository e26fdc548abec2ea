"""Questions: right, balanced, and answered once."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from cambrian.errors import UserError
from cambrian.lab import asking
from cambrian.lab.facts import FACTS, sum_candidates
from cambrian.lab.questions import SOLVED, TASKS, benchmark_items, questions_for
from cambrian.lab.world import Bar, Scene, Thing, is_test_content, make_scene


def thing(cell: int, colour: str, shape: str, depth: str = "near") -> Thing:
    return Thing(cell=cell, colour=colour, shape=shape, depth=depth, shift=(0, 0), rotation=1)


OBJECTS = Scene(
    kind="objects",
    things=(
        thing(0, "red", "star", "far"),
        thing(3, "red", "ring", "near"),
        thing(13, "blue", "star", "middle"),
        thing(15, "green", "cross", "near"),
    ),
)
SIGN = Scene(kind="sign", letters="kbdk", row=1)
CHART = Scene(
    kind="chart",
    bars=(
        Bar(colour="red", value=3),
        Bar(colour="blue", value=8),
        Bar(colour="cyan", value=1),
        Bar(colour="white", value=1),
    ),
)


@pytest.mark.parametrize(
    ("task", "scene", "question", "answer"),
    [
        ("existence", OBJECTS, "is anything red", "yes"),
        ("existence", OBJECTS, "is there a circle", "no"),
        ("existence", SIGN, "is there a letter b", "yes"),
        ("existence", CHART, "is there a black bar", "no"),
        ("attribute", OBJECTS, "what colour is the ring", "red"),
        ("attribute", OBJECTS, "what shape is blue", "star"),
        ("attribute", OBJECTS, "what colour is the star", None),
        ("attribute", OBJECTS, "what shape is red", None),
        ("composition", OBJECTS, "is there a red star", "yes"),
        ("composition", OBJECTS, "is there a blue ring", "no"),
        ("composition", OBJECTS, "is there a white star", None),
        ("facts", SIGN, "how many legs has the spider", "eight"),
        ("sums", CHART, "what is seven minus two", "five"),
        ("text", SIGN, "which letter is third", "d"),
        ("spelling", SIGN, "what is written", "k b d k"),
        ("chart", CHART, "how high is the blue bar", "eight"),
        ("chart_extreme", CHART, "which bar is highest", "blue"),
        ("chart_extreme", CHART, "which bar is lowest", None),
        ("count", OBJECTS, "how many objects are there", "four"),
        ("depth", OBJECTS, "which is nearer blue or green", "green"),
        ("depth", OBJECTS, "which is nearer red or green", None),
        ("relation", OBJECTS, "which is further left green or blue", "blue"),
        ("relation", OBJECTS, "which is further right green or blue", "green"),
        ("relation", OBJECTS, "which is further up green or blue", None),
        ("location", OBJECTS, "in which row is green", "bottom"),
        ("location", OBJECTS, "in which column is the ring", "right"),
        ("location", OBJECTS, "in which row is the star", None),
        ("location", OBJECTS, "in which column is the blue star", "midleft"),
        ("location", OBJECTS, "in which row is the red ring", "top"),
    ],
)
def test_questions_have_their_one_answer(task: str, scene: Scene, question: str, answer: str | None):
    found = [c.answer for c in getattr(asking, task)(scene) if c.question == question]
    assert found == ([] if answer is None else [answer])


@pytest.mark.parametrize("task", TASKS)
def test_items_are_balanced_from_the_test_split_and_repeatable(task: str):
    items = benchmark_items(task, 90, seed=5)
    assert items == benchmark_items(task, 90, seed=5)
    assert len({item.id for item in items}) == len({repr(item.scene) for item in items}) == 90
    assert all(is_test_content(item.scene) for item in items)
    answers = TASKS[task].answers
    if answers:
        counts = Counter(item.answer for item in items)
        assert set(counts.values()) <= {90 // len(answers), 90 // len(answers) + 1}
        assert all(item.answer in item.options for item in items)


@pytest.mark.parametrize("task", TASKS)
def test_training_answers_are_balanced(task: str):
    counts: Counter[str] = Counter()
    for index in range(1200):
        for name, turn in questions_for(make_scene(0, "instruct", index), Random(index), 8, tuple(TASKS)):
            counts[turn.answer] += name == task
    answers = TASKS[task].answers
    if not answers:
        assert max(counts.values()) < 5
    else:
        largest_share = max(counts.values()) / counts.total()
        assert largest_share < 1.5 / len(answers) + 0.03


def test_questions_are_not_asked_twice():
    for index in range(200):
        asked = [
            turn.question
            for _, turn in questions_for(make_scene(0, "align", index), Random(0), 8, tuple(TASKS))
        ]
        assert len(asked) == len(set(asked)) >= 4


def test_a_chosen_task_is_the_only_one_asked():
    asked = questions_for(OBJECTS, Random(0), 8, tasks=["location"])
    assert [task for task, _ in asked] == ["location"] * 2


def test_every_category_has_two_benchmarks():
    counted = Counter(TASKS[name].category for name in SOLVED)
    assert len(counted) == 4 and min(counted.values()) >= 2


def test_an_unknown_task_is_named_with_the_nearest():
    with pytest.raises(UserError, match="unknown lab task 'compsition'; did you mean 'composition'"):
        benchmark_items("compsition", 1, 0)


def test_facts_have_one_answer_each():
    assert len({(relation, subject) for relation, subject, _ in FACTS}) == len(FACTS) == 40
    questions = [candidate.question for candidate in sum_candidates()]
    assert len(set(questions)) == len(questions) == 132
