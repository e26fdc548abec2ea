"""What can be asked about one scene: every question of a task with its answer.

Each function lists candidates of all possible answers; who asks picks the answer first, so that answers
are balanced, and then a question that has it.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from cambrian.lab.facts import Candidate, fact_candidates, sum_candidates
from cambrian.lab.world import COLOURS, COLUMNS, LETTERS, NUMBERS, ROWS, SHAPES, SIDE, Scene, Thing

ORDINALS = ("first", "second", "third", "fourth")
YES_NO = ("yes", "no")
DIRECTIONS = ("left", "right", "up", "down")
_FACTS = fact_candidates()
_SUMS = sum_candidates()


def existence(scene: Scene) -> list[Candidate]:
    """Is something of one colour, shape or letter there?"""
    if scene.kind == "sign":
        return [_yes_no(f"is there a letter {letter}", letter in scene.letters) for letter in LETTERS]
    if scene.kind == "chart":
        seen = {bar.colour for bar in scene.bars}
        return [_yes_no(f"is there a {colour} bar", colour in seen) for colour in COLOURS]
    colours, shapes = _colours(scene), _shapes(scene)
    return [
        *(_yes_no(f"is anything {colour}", colour in colours) for colour in COLOURS),
        *(_yes_no(f"is there a {shape}", shape in shapes) for shape in SHAPES),
    ]


def attribute(scene: Scene) -> list[Candidate]:
    """The colour of the only star, the shape of the only red one."""
    asked = []
    colours, shapes = _colours(scene), _shapes(scene)
    for thing in scene.things:
        if shapes[thing.shape] == 1:
            question = f"what colour is the {thing.shape}"
            asked.append(Candidate(question=question, answer=thing.colour, options=COLOURS))
        if colours[thing.colour] == 1:
            question = f"what shape is {thing.colour}"
            asked.append(Candidate(question=question, answer=thing.shape, options=SHAPES))
    return asked


def composition(scene: Scene) -> list[Candidate]:
    """Is there a red star? Where there is none, something else is red and something else a star."""
    colours, shapes = _colours(scene), _shapes(scene)
    pairs = {(thing.colour, thing.shape) for thing in scene.things}
    return [
        _yes_no(f"is there a {colour} {shape}", (colour, shape) in pairs)
        for colour in colours
        for shape in shapes
    ]


def facts(scene: Scene) -> list[Candidate]:
    """Facts of the world, whatever is in the picture."""
    return _FACTS


def sums(scene: Scene) -> list[Candidate]:
    """Sums in number words, whatever is in the picture."""
    return _SUMS


def text(scene: Scene) -> list[Candidate]:
    """The letter at one place of a sign."""
    return [
        Candidate(question=f"which letter is {ordinal}", answer=letter)
        for ordinal, letter in zip(ORDINALS, scene.letters, strict=False)
    ]


def spelling(scene: Scene) -> list[Candidate]:
    """All letters of a sign."""
    if scene.kind != "sign":
        return []
    return [Candidate(question="what is written", answer=" ".join(scene.letters))]


def chart(scene: Scene) -> list[Candidate]:
    """The value of one bar."""
    return [
        Candidate(question=f"how high is the {bar.colour} bar", answer=NUMBERS[bar.value])
        for bar in scene.bars
    ]


def chart_extreme(scene: Scene) -> list[Candidate]:
    """The colour of the highest or the lowest bar, where only one is."""
    asked = []
    for word, extreme in (("highest", max), ("lowest", min)):
        value = extreme((bar.value for bar in scene.bars), default=0)
        holders = [bar.colour for bar in scene.bars if bar.value == value]
        if len(holders) == 1:
            asked.append(Candidate(question=f"which bar is {word}", answer=holders[0]))
    return asked


def count(scene: Scene) -> list[Candidate]:
    """How many objects there are: two to six."""
    if scene.kind != "objects":
        return []
    return [Candidate(question="how many objects are there", answer=NUMBERS[len(scene.things)])]


def depth(scene: Scene) -> list[Candidate]:
    """Which of two is nearer."""
    asked = []
    for one, other in permutations(_named(scene), 2):
        if one.depth != other.depth:
            first_is_nearer = _nearness(one) < _nearness(other)
            asked.append(
                Candidate(
                    question=f"which is nearer {one.colour} or {other.colour}",
                    answer=one.colour if first_is_nearer else other.colour,
                    options=(one.colour, other.colour),
                )
            )
    return asked


def relation(scene: Scene) -> list[Candidate]:
    """Which of two is further left, right, up or down."""
    asked = []
    for one, other in permutations(_named(scene), 2):
        down, right = one.cell // SIDE - other.cell // SIDE, one.cell % SIDE - other.cell % SIDE
        for direction, lead in (("left", -right), ("right", right), ("up", -down), ("down", down)):
            if lead:
                asked.append(
                    Candidate(
                        question=f"which is further {direction} {one.colour} or {other.colour}",
                        answer=one.colour if lead > 0 else other.colour,
                        options=(one.colour, other.colour),
                    )
                )
    return asked


def location(scene: Scene) -> list[Candidate]:
    """The row or column of the only red one, the only star, or the only red star among red ones and stars."""
    named = [
        (name, thing.cell)
        for thing in scene.things
        for name in (thing.colour, f"the {thing.shape}", f"the {thing.colour} {thing.shape}")
    ]
    counts = Counter(name for name, _ in named)
    return [
        Candidate(question=f"in which {line} is {name}", answer=words[at], options=words)
        for name, cell in named
        if counts[name] == 1
        for line, words, at in (("row", ROWS, cell // SIDE), ("column", COLUMNS, cell % SIDE))
    ]


def _yes_no(question: str, is_so: bool) -> Candidate:
    return Candidate(question=question, answer="yes" if is_so else "no")


def _colours(scene: Scene) -> Counter[str]:
    return Counter(thing.colour for thing in scene.things)


def _shapes(scene: Scene) -> Counter[str]:
    return Counter(thing.shape for thing in scene.things)


def _named(scene: Scene) -> list[Thing]:
    """Things that their colour alone identifies."""
    colours = _colours(scene)
    return [thing for thing in scene.things if colours[thing.colour] == 1]


def _nearness(thing: Thing) -> int:
    return ("near", "middle", "far").index(thing.depth)
