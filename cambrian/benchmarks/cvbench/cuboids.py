"""Boxes in space: how near and how far from a point or from each other they are. All in metres.

Every number errs on the side of not asking: what is said to be far is at least that far.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

ORTHOGONAL = 1e-2
"""Largest cosine between two edges of what still is a box; annotations are rounded."""
PROJECTIONS = 200
"""Most steps towards the two nearest points of two boxes."""
PRECISION = 1e-4
"""Metres to which these are found."""


@dataclass(frozen=True)
class Cuboid:
    """A box in the camera's frame: x to the right, y down, z away from it.

    The corners are those of Omni3D in its order: the second, the fourth and the fifth are the ends of the
    three edges that begin at the first.

    Raises:
        ValueError: if they are not the corners of a box.
    """

    corners: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        points = np.array(self.corners, dtype=np.float64)
        if points.shape != (8, 3) or not np.isfinite(points).all():
            raise ValueError("eight corners of three finite numbers each are needed")
        edges = points[[1, 3, 4]] - points[0]
        lengths = np.linalg.norm(edges, axis=1)
        if (lengths == 0).any():
            raise ValueError("a box without volume")
        cosines = np.abs((edges / lengths[:, None]) @ (edges / lengths[:, None]).T - np.eye(3))
        sums = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]]) @ edges
        away = np.abs(points[[2, 7, 5, 6]] - points[0] - sums).max()
        if cosines.max() > ORTHOGONAL or away > ORTHOGONAL * lengths.max():
            raise ValueError("the corners are not those of a box")

    @cached_property
    def points(self) -> np.ndarray:
        """The corners (8, 3)."""
        return np.array(self.corners, dtype=np.float64)

    @cached_property
    def centre(self) -> np.ndarray:
        """The middle (3,)."""
        return self.points.mean(axis=0)

    def project(self, points: np.ndarray) -> np.ndarray:
        """The nearest points of the box to `points`, both (n, 3)."""
        origin = self.points[0]
        edges = self.points[[1, 3, 4]] - origin
        along = (points - origin) @ edges.T / (edges**2).sum(axis=1)
        return origin + along.clip(0.0, 1.0) @ edges


CAMERA = np.zeros(3)


def farthest(cuboid: Cuboid, point: np.ndarray = CAMERA) -> float:
    """Distance of the farthest corner, which no point of the box exceeds."""
    return float(np.linalg.norm(cuboid.points - point, axis=1).max())


def nearest(cuboid: Cuboid, point: np.ndarray = CAMERA) -> float:
    """Distance of the nearest point of the box; where a face is turned here, no corner is as near."""
    return float(np.linalg.norm(cuboid.project(point[None])[0] - point))


def reach(cuboid: Cuboid, anchor: Cuboid) -> float:
    """Largest distance of a point of the box from the anchor, which a corner has."""
    return float(np.linalg.norm(cuboid.points - anchor.project(cuboid.points), axis=1).max())


def nearest_corner(cuboid: Cuboid, anchor: Cuboid) -> float:
    """Smallest distance of a corner from the anchor, quickly; the gap between the two is never larger."""
    return float(np.linalg.norm(cuboid.points - anchor.project(cuboid.points), axis=1).min())


def gap(one: Cuboid, two: Cuboid) -> float:
    """Smallest distance between two boxes, from below; 0 where they touch.

    What is given is the width of the widest slab found between them, which no two of their points can
    undercut. Slabs along faces come first: they are the widest where a corner meets a face. Then projecting
    in turn on each box leads to their nearest points (Cheney and Goldstein 1959), slowly if faces are nearly
    parallel.
    """
    normals = np.concatenate([box.points[[1, 3, 4]] - box.points[0] for box in (one, two)])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    best = max(0.0, float(max(_slab(one, two, sign * axis) for axis in normals for sign in (1, -1))))
    point = one.centre[None]
    for _ in range(PROJECTIONS):
        other = two.project(point)
        point = one.project(other)
        away = (other - point)[0]
        distance = float(np.linalg.norm(away))
        if distance < PRECISION:
            return 0.0
        best = max(best, _slab(one, two, away / distance))
        if distance - best < PRECISION:
            break
    return best


def _slab(one: Cuboid, two: Cuboid, direction: np.ndarray) -> float:
    """Room between two boxes along a direction of length 1, from the first to the second; below 0 if none."""
    return float((two.points @ direction).min() - (one.points @ direction).max())
