"""Questions about hand-made scenes, word for word, and what holds of every question about any scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cvbench_sources import HEIGHT, WIDTH, corners
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.cvbench.cuboids import Cuboid
from cambrian.benchmarks.cvbench.drafts import Draft
from cambrian.benchmarks.cvbench.planar import propose_counts, propose_relations, survey
from cambrian.benchmarks.cvbench.rules import Rules
from cambrian.benchmarks.cvbench.scenes import Box, Instance, Scene, overlap
from cambrian.benchmarks.cvbench.spatial import propose_depth, propose_distance
from cambrian.benchmarks.cvbench.wording import plural
from cambrian.errors import ConfigError

RULES = Rules()
LEFT: Box = (10, 100, 60, 150)
RIGHT: Box = (200, 100, 260, 150)


def scene(*objects: tuple[str, Box] | Instance, name: str = "a.jpg", **more: Any) -> Scene:
    found = [one if isinstance(one, Instance) else Instance(category=one[0], box=one[1]) for one in objects]
    return Scene(
        source="COCO",
        dataset="COCO x",
        name=name,
        picture=Path(name),
        width=WIDTH,
        height=HEIGHT,
        instances=tuple(sorted(found, key=lambda one: (one.category, one.box))),
        **more,
    )


def relations(*objects: tuple[str, Box] | Instance, **more: Any) -> list[tuple[str, str, tuple[Box, ...]]]:
    """Question, answer and frames of all relations of a scene."""
    return [
        (one.question, one.answer, one.frames) for one in propose_relations(scene(*objects, **more), RULES)
    ]


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


def thing(
    category: str, box: Box, centre: Sequence[float], size: Sequence[float] = (0.2, 0.2, 0.2)
) -> Instance:
    points = tuple(tuple(point) for point in corners(centre, size))
    return Instance(category=category, box=box, cuboid=Cuboid(points))


MIDDLE: Box = (100, 10, 180, 90)


def test_depth_either_way_round() -> None:
    near, far = thing("sink", LEFT, (0, 0, 2)), thing("pillow", RIGHT, (0, 0, 3))
    first, second = propose_depth(scene(near, far), RULES, seed=0)
    assert first.question == (
        "Which object is closer to the camera taking this photo, the sink (highlighted by a red box) "
        "or the pillow (highlighted by a blue box)?"
    )
    assert (first.choices, first.answer, first.frames) == (("sink", "pillow"), "sink", (LEFT, RIGHT))
    assert (second.choices, second.answer, second.frames) == (("pillow", "sink"), "sink", (RIGHT, LEFT))


def test_depth_needs_all_of_one_to_be_nearer_by_the_offset() -> None:
    near = thing("sink", LEFT, (0, 0, 2))
    end = math.sqrt(2.1**2 + 0.1**2 + 0.1**2)
    for beyond, questions in ((1.101, 2), (1.099, 0)):
        far = thing("pillow", RIGHT, (0, 0, end * beyond + 0.1))
        assert len(propose_depth(scene(near, far), RULES, seed=0)) == questions, "a tenth of the distance"
    wall = thing("wall", RIGHT, (0, 0, 2.5), (9, 9, 0.2))
    assert propose_depth(scene(near, wall), RULES, seed=0) != []
    assert propose_depth(scene(thing("sink", LEFT, (0, 0, 2.3)), wall), RULES, seed=0) == [], (
        "its corners are far, its middle is not"
    )


def test_frames_that_coincide_and_categories_that_are_the_same() -> None:
    near, far = thing("sink", LEFT, (0, 0, 2)), thing("pillow", (12, 100, 60, 150), (0, 0, 5))
    assert overlap(near.box, far.box) > RULES.max_overlap
    assert propose_depth(scene(near, far), RULES, seed=0) == []
    assert propose_depth(scene(near, thing("sink", RIGHT, (0, 0, 5))), RULES, seed=0) == []


def test_a_frame_that_two_of_a_kind_share_shows_neither() -> None:
    near, far = thing("sink", LEFT, (0, 0, 2)), thing("pillow", RIGHT, (0, 0, 5))
    twin = thing("sink", (12, 100, 60, 150), (0, 0, 4))
    assert propose_depth(scene(near, twin, far), RULES, seed=0) == []
    assert relations(("chair", LEFT), ("chair", twin.box), ("dog", RIGHT)) == []


def test_distance_either_way_round() -> None:
    chair = thing("chair", MIDDLE, (0, 0, 4), (1, 1, 1))
    fridge, door = thing("refrigerator", LEFT, (-1, 0, 4)), thing("door", RIGHT, (3, 0, 4))
    found = {one.question: one for one in propose_distance(scene(chair, fridge, door), RULES, seed=0)}
    assert len(found) == 2
    start = "Estimate the real-world distances between objects in this image. Which object is closer to the "
    anchors = {question.removeprefix(start).split(" (")[0] for question in found}
    assert len(anchors) == 1
    for seed in range(20):
        for one in propose_distance(scene(chair, fridge, door), RULES, seed=seed):
            if one.question.startswith(f"{start}chair"):
                assert one.answer == "refrigerator"
                assert one.question in (
                    f"{start}chair (highlighted by a red box), the refrigerator (highlighted by a blue box) "
                    "or the door (highlighted by a green box)?",
                    f"{start}chair (highlighted by a red box), the door (highlighted by a blue box) "
                    "or the refrigerator (highlighted by a green box)?",
                )
                assert one.frames == (
                    MIDDLE,
                    *(LEFT if name == "refrigerator" else RIGHT for name in one.choices),
                )
            assert one.answer != "door", "it is the farthest from both"


def test_distance_is_from_the_surface_of_the_anchor() -> None:
    """By centres the lamp is nearer to the long table; the chair stands at its end."""
    table = thing("table", MIDDLE, (0, 0, 5), (4, 0.5, 0.5))
    chair, lamp = thing("chair", LEFT, (2.2, 0, 5)), thing("lamp", RIGHT, (0, -1.5, 5))
    drafts = [
        one
        for seed in range(20)
        for one in propose_distance(scene(table, chair, lamp), RULES, seed=seed)
        if "closer to the table" in one.question
    ]
    assert {one.answer for one in drafts} == {"chair"}


def test_a_face_beside_the_anchor_is_near_though_its_corners_are_far() -> None:
    lamp, chair = thing("lamp", MIDDLE, (0, 0, 9)), thing("chair", LEFT, (-2, 0, 9))
    screen = thing("screen", RIGHT, (1, 0, 9), (0.2, 8, 8))
    for seed in range(20):
        for one in propose_distance(scene(lamp, chair, screen), RULES, seed=seed):
            assert "closer to the lamp" not in one.question or one.answer == "screen"


BOXES = st.tuples(st.integers(0, 300), st.integers(0, 220), st.integers(1, 150), st.integers(1, 150)).map(
    lambda four: (four[0], four[1], min(four[0] + four[2], WIDTH), min(four[1] + four[3], HEIGHT))
)
NAMES = st.sampled_from(["dog", "chair", "bus", "wall", "person"])
SCENES = st.lists(st.tuples(NAMES, BOXES), min_size=1, max_size=9)
PLACES = st.tuples(st.floats(-3, 3), st.floats(-1, 1), st.floats(1, 9))
SIZES = st.tuples(*[st.floats(0.1, 1.5)] * 3)
ROOMS = st.lists(st.builds(thing, NAMES, BOXES, PLACES, SIZES), min_size=2, max_size=7)


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


@settings(max_examples=100, deadline=None)
@given(objects=ROOMS, seed=st.integers(0, 3))
def test_every_spatial_question_is_right_by_the_annotation(objects: list[Instance], seed: int) -> None:
    """By the paper's rule, on the corners: it follows from the stricter one that is asked by."""
    main = scene(*objects)
    points = {(one.category, one.box): one.cuboid for one in objects}
    for draft in propose_depth(main, RULES, seed) + propose_distance(main, RULES, seed):
        named = [word.rpartition("the ")[2] for word in draft.question.split(" (highlighted")[:-1]]
        shown = [points[key] for key in zip(named, draft.frames, strict=True)]
        one, two = shown[-2:]
        assert one is not None and two is not None and len(set(draft.choices)) == 2
        near, far = (one, two) if draft.answer == draft.choices[0] else (two, one)
        anchor = shown[0] if len(shown) == 3 else None
        farthest, nearest = (_lengths(near, anchor).max(), _lengths(far, anchor).min())
        assert nearest - farthest >= max(RULES.offset_metres, RULES.offset_share * farthest) - 1e-6


def _lengths(cuboid: Cuboid, anchor: Cuboid | None) -> np.ndarray:
    """Distances of the corners from the camera, or from the anchor's box."""
    origin = 0 if anchor is None else anchor.project(cuboid.points)
    return np.linalg.norm(cuboid.points - origin, axis=1)


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
