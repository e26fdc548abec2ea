"""Questions about hand-made scenes, word for word, and what holds of every question about any scene."""

from __future__ import annotations

import pytest
from cvbench_sources import BOXES, HEIGHT, LEFT, NAMES, RIGHT, WIDTH, relations, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.cvbench.drafts import Draft
from cambrian.benchmarks.cvbench.planar import propose_counts, propose_relations, survey
from cambrian.benchmarks.cvbench.rules import Rules
from cambrian.benchmarks.cvbench.scenes import Box, Instance, Scene
from cambrian.benchmarks.cvbench.wording import plural
from cambrian.errors import ConfigError

RULES = Rules()


def asked(target: str, anchor: str, mark: str = "") -> str:
    which = f"{target}{mark}"
    return (
        f"Considering the relative positions of the {which} and the {anchor} in the image provided, "
        f"where is the {which} located with respect to the {anchor}?"
    )


def test_two_objects_side_by_side() -> None:
    assert relations(("dog", LEFT), ("chair", RIGHT)) == [
        (asked("dog", "chair"), "left", ()),
        (asked("chair", "dog"), "right", ()),
    ]
    (one, _) = propose_relations(scene(("dog", LEFT), ("chair", RIGHT)), RULES)
    assert one.choices == ("left", "right")


def test_one_above_the_other() -> None:
    found = relations(("dog", (10, 10, 90, 60)), ("chair", (20, 90, 100, 200)))
    assert [(question, answer) for question, answer, _ in found] == [
        (asked("dog", "chair"), "above"),
        (asked("chair", "dog"), "below"),
    ]


def test_both_axes_where_both_are_clear() -> None:
    found = relations(("dog", (10, 10, 60, 60)), ("chair", (200, 150, 260, 200)))
    assert [answer for question, answer, _ in found if question == asked("dog", "chair")] == ["left", "above"]


def test_space_between_them_is_needed() -> None:
    least = RULES.relation_gap * WIDTH
    right = (60 + least, 100, 260, 150)
    assert len(relations(("dog", LEFT), ("chair", right))) == 2
    assert relations(("dog", LEFT), ("chair", (right[0] - 1, *right[1:]))) == []


def test_one_of_several_gets_a_box_and_is_no_anchor() -> None:
    other: Box = (200, 10, 260, 60)
    found = relations(("dog", LEFT), ("chair", RIGHT), ("chair", other))
    mark = " (annotated by the red box)"
    assert [one for one in found if one[2]] == found
    assert set(found) == {
        (asked("chair", "dog", mark), "right", (RIGHT,)),
        (asked("chair", "dog", mark), "right", (other,)),
        (asked("chair", "dog", mark), "above", (other,)),
    }


def test_what_is_not_asked_about() -> None:
    small: Box = (200, 100, 215, 115)
    assert RULES.min_share > 15 * 15 / (WIDTH * HEIGHT)
    assert relations(("dog", LEFT), ("chair", small)) == []
    assert relations(("dog", LEFT), ("wall", RIGHT)) == [], "a surface has no place"
    assert relations(("dog", LEFT), ("dog", RIGHT)) == []
    van = Instance(category="van", box=RIGHT, general=frozenset({"truck"}))
    assert relations(("truck", LEFT), van, unclear=frozenset({"truck"})) == [], "one is a kind of the other"
    found = relations(("dog", LEFT), ("chair", RIGHT), unclear=frozenset({"chair"}))
    assert [one[2] for one in found] == [(RIGHT,)], "the chair may be one of several"


def counts(main: Scene, *others: Scene, rules: Rules = RULES) -> dict[str, Draft]:
    drafts = propose_counts(main, survey([main, *others]), rules, seed=0)
    return {one.question: one for one in drafts}


def test_counts() -> None:
    dogs = [("dog", (10.0 + 60 * n, 10.0, 50.0 + 60 * n, 60.0)) for n in range(4)]
    found = counts(scene(*dogs, ("person", LEFT)))
    assert {question: one.answer for question, one in found.items()} == {
        "How many dogs are in the image?": "4",
        "How many persons are in the image?": "1",
    }


def test_an_absent_category_is_one_that_could_be_expected() -> None:
    main, kitchen = scene(("dog", LEFT)), scene(("oven", LEFT), ("sink", RIGHT), name="b.jpg")
    assert [one.answer for one in counts(main, kitchen).values()] == ["1"], "nothing is ever seen with a dog"
    park = scene(("dog", LEFT), ("bench", RIGHT), ("sky", RIGHT), name="c.jpg")
    found = counts(main, kitchen, park)
    assert found["How many benches are in the image?"].answer == "0" and len(found) == 2
    unclear = scene(("dog", LEFT), unclear=frozenset({"bench"}))
    assert len(counts(unclear, kitchen, park)) == 1, "a crowd of them may be there"


def test_neither_a_more_general_nor_a_more_special_name_is_absent() -> None:
    van = Instance(category="van", box=RIGHT, general=frozenset({"truck"}))
    both = scene(("truck", LEFT), van, ("dog", LEFT), name="b.jpg")
    van_alone = scene(van, ("dog", LEFT), unclear=frozenset({"truck"}))
    assert set(counts(van_alone, both)) == {
        "How many vans are in the image?",
        "How many dogs are in the image?",
    }
    truck_alone = scene(("truck", LEFT), ("dog", LEFT))
    assert "How many vans are in the image?" not in counts(truck_alone, both)


def test_counts_that_are_not_asked_for() -> None:
    small: Box = (200, 100, 215, 115)
    assert counts(scene(("dog", LEFT), ("dog", small))) == {}, "one of them may be overlooked"
    assert counts(scene(("dog", LEFT), unclear=frozenset({"dog"}))) == {}
    assert counts(scene(("wall", LEFT))) == {}
    assert counts(scene(("dog", LEFT), ("dog", RIGHT)), rules=Rules(max_count=1)) == {}


SCENES = st.lists(st.tuples(NAMES, BOXES), min_size=1, max_size=9)


@settings(max_examples=100, deadline=None)
@given(objects=SCENES, seed=st.integers(0, 3))
def test_every_planar_question_is_right_by_the_annotation(objects: list[tuple[str, Box]], seed: int) -> None:
    main = scene(*objects)
    others = [scene(("dog", LEFT), ("bus", LEFT), ("chair", LEFT), ("person", LEFT), name="b.jpg")]
    number = {
        plural(name): sum(one[0] == name for one in objects) for name in ("dog", "chair", "bus", "person")
    }
    for draft in propose_counts(main, survey([main, *others]), RULES, seed):
        name = draft.question.removeprefix("How many ").removesuffix(" are in the image?")
        assert draft.answer == str(number[name]) and draft.choices.count(draft.answer) == 1
        options = [int(choice) for choice in draft.choices]
        assert options == list(range(options[0], options[0] + 5)) and options[0] >= 0
    for draft in propose_relations(main, RULES):
        words = (
            draft.question.partition("where is the ")[2]
            .removesuffix("?")
            .split(" located with respect to the ")
        )
        target, anchor = words[0].removesuffix(" (annotated by the red box)"), words[1]
        targets = [
            box for name, box in objects if name == target and (not draft.frames or box == draft.frames[0])
        ]
        anchors = [box for name, box in objects if name == anchor]
        assert len(anchors) == 1 and targets and (draft.frames or len(targets) == 1)
        axis = 0 if draft.answer in ("left", "right") else 1
        before, after = (
            (targets[0], anchors[0]) if draft.answer in ("left", "above") else (anchors[0], targets[0])
        )
        space = after[axis] - before[axis + 2]
        assert space >= RULES.relation_gap * (WIDTH, HEIGHT)[axis] - 1e-9


@pytest.mark.parametrize(
    ("name", "many"),
    [
        ("dog", "dogs"),
        ("table lamp", "table lamps"),
        ("person", "persons"),
        ("bus", "buses"),
        ("wine glass", "wine glasses"),
        ("bench", "benches"),
        ("toothbrush", "toothbrushes"),
        ("box", "boxes"),
        ("computer mouse", "computer mice"),
        ("teddy bear", "teddy bears"),
        ("knife", "knives"),
        ("scissors", "scissors"),
        ("skis", "skis"),
        ("canvas", "canvases"),
        ("sheep", "sheep"),
        ("berry", "berries"),
        ("key", "keys"),
    ],
)
def test_plurals(name: str, many: str) -> None:
    assert plural(name) == many


def test_thresholds_out_of_range_are_all_named() -> None:
    with pytest.raises(ConfigError, match="2 faults") as caught:
        Rules(min_share=1.5, max_count=0)
    assert caught.value.faults == (
        "min_share must be from 0 to 1, got 1.5",
        "max_count must be from 1 to 100, got 0",
    )
