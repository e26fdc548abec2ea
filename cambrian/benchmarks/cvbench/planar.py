"""Questions about the plane of the picture: how many there are, and which is where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cambrian.benchmarks.cvbench.drafts import Draft, dice
from cambrian.benchmarks.cvbench.rules import COUNT, RELATION, Rules
from cambrian.benchmarks.cvbench.scenes import Box, Instance, Scene, is_distinct, share
from cambrian.benchmarks.cvbench.wording import ask_count, ask_relation

SURFACES = frozenset(
    (
        *("wall", "floor", "ceiling", "sky", "road", "grass", "sidewalk", "earth", "water", "sea", "river"),
        *("field", "sand", "snow", "mountain", "hill", "path", "ground", "land", "lake", "dirt track"),
    )
)
"""ADE20K's names of what has an extent rather than a number and a place."""
OPTIONS = 5
"""Of a counting question, as in the paper's example (2, 3, 4, 5 and 6 where there are 4)."""
ABSENT = "0"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the pictures of a data set together tell about its categories."""

    seen_with: Mapping[str, frozenset[str]]
    """Category -> those that share a picture with it somewhere."""
    general: Mapping[str, frozenset[str]]
    """Category -> more general names of it."""


def survey(scenes: Iterable[Scene]) -> Surroundings:
    """Look through all pictures."""
    together: dict[str, set[str]] = defaultdict(set)
    general: dict[str, set[str]] = defaultdict(set)
    for scene in scenes:
        names = set(scene.by_category)
        for name in names:
            together[name] |= names
        for instance in scene.instances:
            general[instance.category] |= instance.general
    return Surroundings(
        seen_with={name: frozenset(others) for name, others in together.items()},
        general={name: frozenset(others) for name, others in general.items()},
    )


def propose_counts(scene: Scene, around: Surroundings, rules: Rules, seed: int) -> list[Draft]:
    """Counting questions that may be asked about a picture; of absent categories one.

    A category has a count if nothing makes it unclear and every object of it is large enough to be seen. An
    absent one is seen with something of this picture in another one, so that its absence is no matter of
    course, and is neither a more general nor a more special name of what is there.
    """
    found = [
        _count(scene, name, len(objects), seed)
        for name, objects in scene.by_category.items()
        if name not in scene.unclear | SURFACES
        and len(objects) <= rules.max_count
        and all(share(one.box, scene) >= rules.min_share for one in objects)
    ]
    present = frozenset(scene.by_category)
    likely = frozenset[str]().union(*(around.seen_with[name] for name in present))
    absent = sorted(
        name for name in likely - present - scene.unclear - SURFACES if not around.general[name] & present
    )
    if absent:
        name = dice(seed, COUNT, scene.dataset, scene.name).choice(absent)
        found.append(_count(scene, name, 0, seed))
    return found


def _count(scene: Scene, category: str, number: int, seed: int) -> Draft:
    """Ask for a number among numbers that follow each other.

    The paper has the answer in their middle, where it could be found without looking; here it may be any.
    """
    throw = dice(seed, COUNT, scene.dataset, scene.name, category)
    first = throw.randint(max(0, number - OPTIONS + 1), number)
    return Draft(
        task=COUNT,
        scene=scene,
        question=ask_count(category),
        choices=tuple(str(first + step) for step in range(OPTIONS)),
        answer=str(number),
        balance=str(number),
    )


def propose_relations(scene: Scene, rules: Rules) -> list[Draft]:
    """Spatial questions that may be asked about a picture.

    The anchor is the only object of its category. The other one may be one of several: then a red box shows
    which. Both are large enough to be seen, neither is a kind of the other, and there is space between them
    along the axis that is asked about.
    """
    objects = [
        one
        for one in scene.instances
        if one.category not in SURFACES and share(one.box, scene) >= rules.min_share
    ]
    return [
        _relation(scene, target, anchor, words, side)
        for anchor in objects
        if _is_alone(anchor, scene)
        for target in objects
        if target.category != anchor.category
        and not _are_related(target, anchor)
        and is_distinct(target, scene, rules.max_overlap)
        for words, side in _sides(target.box, anchor.box, scene, rules)
    ]


def _relation(scene: Scene, target: Instance, anchor: Instance, words: tuple[str, str], side: str) -> Draft:
    framed = not _is_alone(target, scene)
    return Draft(
        task=RELATION,
        scene=scene,
        question=ask_relation(target.category, anchor.category, framed=framed),
        choices=words,
        answer=side,
        frames=(target.box,) if framed else (),
        balance=side,
    )


def _sides(target: Box, anchor: Box, scene: Scene, rules: Rules) -> Iterable[tuple[tuple[str, str], str]]:
    """The words for an axis and the side of the anchor on which the target is, for each clear axis."""
    axes = ((("left", "right"), 0, scene.width), (("above", "below"), 1, scene.height))
    for words, axis, length in axes:
        space = rules.relation_gap * length
        if target[axis + 2] + space <= anchor[axis]:
            yield words, words[0]
        elif anchor[axis + 2] + space <= target[axis]:
            yield words, words[1]


def _is_alone(one: Instance, scene: Scene) -> bool:
    return len(scene.by_category[one.category]) == 1 and one.category not in scene.unclear


def _are_related(one: Instance, two: Instance) -> bool:
    return one.category in two.general or two.category in one.general
