"""Questions about depth and distance in hand-made rooms, and what holds of every one in any room."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from cvbench_sources import BOXES, LEFT, NAMES, RIGHT, corners, relations, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.cvbench.cuboids import Cuboid
from cambrian.benchmarks.cvbench.rules import Rules
from cambrian.benchmarks.cvbench.scenes import Box, Instance, overlap
from cambrian.benchmarks.cvbench.spatial import propose_depth, propose_distance

RULES = Rules()


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


PLACES = st.tuples(st.floats(-3, 3), st.floats(-1, 1), st.floats(1, 9))
SIZES = st.tuples(*[st.floats(0.1, 1.5)] * 3)
ROOMS = st.lists(st.builds(thing, NAMES, BOXES, PLACES, SIZES), min_size=2, max_size=7)


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
