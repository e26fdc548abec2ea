"""Boxes in space: what is said to be far is at least that far, whatever the boxes are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cvbench_sources import corners
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.cvbench.cuboids import Cuboid, farthest, gap, nearest, nearest_corner, reach
from cambrian.benchmarks.cvbench.scenes import clip, overlap


def cuboid(centre: tuple[float, float, float], size: tuple[float, float, float], turn: float = 0.0) -> Cuboid:
    return Cuboid(tuple(tuple(corner) for corner in corners(centre, size, turn)))


COORDINATES = st.floats(-5, 5)
LENGTHS = st.floats(0.05, 3)
CUBOIDS = st.builds(
    cuboid,
    st.tuples(COORDINATES, COORDINATES, COORDINATES),
    st.tuples(LENGTHS, LENGTHS, LENGTHS),
    st.floats(0, math.pi),
)
PLACES = np.random.default_rng(0).random((40, 3))
"""Of points in a box, as parts of its edges."""


def points_in(box: Cuboid) -> np.ndarray:
    origin = box.points[0]
    return np.concatenate([origin + PLACES @ (box.points[[1, 3, 4]] - origin), box.points])


def distances(one: Cuboid, two: Cuboid) -> np.ndarray:
    """Of points of the one from points of the other."""
    return np.linalg.norm(points_in(one)[:, None] - points_in(two)[None], axis=2)


def test_a_face_is_nearer_than_its_corners() -> None:
    wall = cuboid((0, 0, 3.5), (6, 6, 1))
    assert nearest(wall) == 3.0
    assert np.linalg.norm(wall.points, axis=1).min() == pytest.approx(math.sqrt(9 + 9 + 9))
    assert farthest(wall) == pytest.approx(math.sqrt(9 + 9 + 16))
    assert nearest(cuboid((0, 0, 0.2), (1, 1, 1))) == 0.0, "the camera is inside"


def test_distances_between_boxes_that_face_each_other_are_exact() -> None:
    one, two = cuboid((0, 0, 0), (2, 2, 2)), cuboid((0, 5, 0), (8, 2, 8))
    assert gap(one, two) == gap(two, one) == pytest.approx(3.0)
    assert nearest_corner(one, two) == pytest.approx(3.0)
    assert nearest_corner(two, one) == pytest.approx(math.sqrt(9 + 9 + 9)), (
        "its corners are far from the small one"
    )
    assert reach(one, two) == pytest.approx(5.0)
    assert gap(one, cuboid((0.5, 0.5, 0.5), (1, 1, 1))) == 0.0
    diagonal = cuboid((3, 3, 3), (2, 2, 2))
    assert gap(one, diagonal) == pytest.approx(math.sqrt(3), abs=1e-3), "corner to corner"
    nearly = cuboid((2.25, 0, 4), (1, 1, 1), 0.65625), cuboid((2, 0, 2.25), (2, 1, 2), 0.625)
    assert gap(*nearly) == pytest.approx(0.05, abs=2e-3), "faces that are nearly parallel"
    turned = cuboid((0, 0, 5), (2, 2, 2), math.pi / 4)
    assert gap(one, turned) == pytest.approx(4 - math.sqrt(2), abs=1e-3), "face to edge"


@settings(max_examples=60, deadline=None)
@given(one=CUBOIDS, two=CUBOIDS)
def test_no_point_of_a_box_undercuts_or_exceeds_what_is_said(one: Cuboid, two: Cuboid) -> None:
    rounding = 1e-9
    lengths = np.linalg.norm(points_in(one), axis=1)
    assert nearest(one) - rounding <= lengths.min() and lengths.max() <= farthest(one) + rounding
    apart = distances(one, two)
    assert gap(one, two) <= apart.min() + rounding
    assert gap(two, one) <= apart.min() + rounding
    assert gap(one, two) <= nearest_corner(one, two) + rounding
    assert apart.min(axis=1).max() >= reach(one, two) - rounding, "no point of the anchor is nearer to it"
    away = np.linalg.norm(points_in(one) - two.project(points_in(one)), axis=1)
    assert away.max() <= reach(one, two) + rounding


@settings(max_examples=25, deadline=None)
@given(one=CUBOIDS, two=CUBOIDS)
def test_the_gap_is_found(one: Cuboid, two: Cuboid) -> None:
    """Many steps of projecting give a distance from above, which the one from below has to meet."""
    point = one.centre[None]
    for _ in range(800):
        point = one.project(two.project(point))
    above = float(np.linalg.norm(two.project(point) - point))
    assert above - 0.05 <= gap(one, two) <= above + 1e-6


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda points: points[:7], "eight corners"),
        (lambda points: [[float("nan"), 0, 0], *points[1:]], "eight corners"),
        (lambda points: [points[0]] * 8, "without volume"),
        (lambda points: [*points[:6], points[7], points[6]], "not those of a box"),
        (lambda points: [[x + 0.5 * y, y, z] for x, y, z in points], "not those of a box"),
    ],
)
def test_corners_of_no_box(spoil: object, message: str) -> None:
    assert callable(spoil)
    with pytest.raises(ValueError, match=message):
        Cuboid(tuple(tuple(point) for point in spoil(corners((0, 0, 3), (1, 1, 1)))))


def test_boxes_in_the_plane() -> None:
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0.0
    assert clip((-5, 2, 400, 300), 320, 240) == (0, 2, 320, 240)
    assert clip((330, 0, 400, 10), 320, 240) is None
