"""Questions about space: which object is nearer to the camera, or to a third one."""

from __future__ import annotations

from itertools import combinations, permutations

from cambrian.benchmarks.cvbench.cuboids import farthest, gap, nearest, nearest_corner, reach
from cambrian.benchmarks.cvbench.drafts import Draft, dice
from cambrian.benchmarks.cvbench.rules import DEPTH, DISTANCE, Rules
from cambrian.benchmarks.cvbench.scenes import Instance, Scene, is_distinct, overlap, share
from cambrian.benchmarks.cvbench.wording import ask_depth, ask_distance

FIRST, SECOND = "first", "second"
"""Which of the two objects, in the order of the question, is the nearer one."""
MOST_OBJECTS = 12
"""Of a picture, drawn at random: crowded rooms have tens of thousands of triples, and one is asked about."""


def propose_depth(scene: Scene, rules: Rules, seed: int) -> list[Draft]:
    """A question about which of two objects is nearer to the camera, either way round; of two categories.

    All of the nearer one is nearer than any point of the farther one, by the offset; distances are Euclidean,
    as the paper's. The paper compares corners; a face that is turned to the camera is nearer than they are,
    so that what is asked here is a part of what could be asked there.
    """
    throw = dice(seed, DEPTH, scene.dataset, scene.name)
    pairs = list(permutations(_usable(scene, rules, seed), 2))
    for near, far in throw.sample(pairs, len(pairs)):
        assert near.cuboid is not None and far.cuboid is not None
        if _can_be_told_apart(rules, near, far) and rules.separates(
            farthest(near.cuboid), nearest(far.cuboid)
        ):
            return [_depth(scene, near, far, FIRST), _depth(scene, far, near, SECOND)]
    return []


def propose_distance(scene: Scene, rules: Rules, seed: int) -> list[Draft]:
    """A question about which of two objects is nearer to a third, either way round; of three categories.

    All of the nearer one is nearer to the anchor's box than any point of the farther one, by the offset. As
    with depth, this is stricter than the paper's rule on corners.
    """
    throw = dice(seed, DISTANCE, scene.dataset, scene.name)
    triples = list(permutations(_usable(scene, rules, seed), 3))
    for anchor, near, far in throw.sample(triples, len(triples)):
        if _can_be_told_apart(rules, anchor, near, far) and _is_nearer(anchor, near, far, rules):
            return [_distance(scene, anchor, near, far, FIRST), _distance(scene, anchor, far, near, SECOND)]
    return []


def _is_nearer(anchor: Instance, near: Instance, far: Instance, rules: Rules) -> bool:
    assert anchor.cuboid is not None and near.cuboid is not None and far.cuboid is not None
    most = reach(near.cuboid, anchor.cuboid)
    return all(rules.separates(most, measure(far.cuboid, anchor.cuboid)) for measure in (nearest_corner, gap))


def _usable(scene: Scene, rules: Rules, seed: int) -> list[Instance]:
    found = [
        one
        for one in scene.instances
        if one.cuboid is not None
        and share(one.box, scene) >= rules.min_share
        and is_distinct(one, scene, rules.max_overlap)
    ]
    return dice(seed, scene.dataset, scene.name).sample(found, min(MOST_OBJECTS, len(found)))


def _can_be_told_apart(rules: Rules, *objects: Instance) -> bool:
    """Whether all are of different categories and their frames do not coincide."""
    return all(
        one.category != two.category and overlap(one.box, two.box) <= rules.max_overlap
        for one, two in combinations(objects, 2)
    )


def _depth(scene: Scene, one: Instance, two: Instance, nearer: str) -> Draft:
    return Draft(
        task=DEPTH,
        scene=scene,
        question=ask_depth(one.category, two.category),
        choices=(one.category, two.category),
        answer=one.category if nearer == FIRST else two.category,
        frames=(one.box, two.box),
        balance=nearer,
    )


def _distance(scene: Scene, anchor: Instance, one: Instance, two: Instance, nearer: str) -> Draft:
    return Draft(
        task=DISTANCE,
        scene=scene,
        question=ask_distance(anchor.category, one.category, two.category),
        choices=(one.category, two.category),
        answer=one.category if nearer == FIRST else two.category,
        frames=(anchor.box, one.box, two.box),
        balance=nearer,
    )
