"""How CV-Bench words its questions: facts of the published data, which a model's score depends on."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.benchmarks.hub.prompts import LETTERS

RED, BLUE, GREEN = "red", "blue", "green"
COLOURS = (RED, BLUE, GREEN)
"""Of a question's frames, in their order."""

PLURALS = {
    "mouse": "mice",
    "knife": "knives",
    "shelf": "shelves",
    "bookshelf": "bookshelves",
    "loaf": "loaves",
    "leaf": "leaves",
    "scarf": "scarves",
    "canvas": "canvases",
    "sheep": "sheep",
    "fish": "fish",
    "deer": "deer",
    "aircraft": "aircraft",
    "foot": "feet",
    "child": "children",
    "man": "men",
    "woman": "women",
}
"""Of last words, where no rule gives them; `persons` is what the published questions say."""
_HISSING = ("ss", "us", "x", "z", "ch", "sh")


def plural(name: str) -> str:
    """More than one of `name`; what already ends like a plural, such as `scissors`, stays as it is."""
    before, space, last = name.rpartition(" ")
    return f"{before}{space}{_plural(last)}"


def _plural(word: str) -> str:
    if word in PLURALS:
        return PLURALS[word]
    if word.endswith(_HISSING):
        return f"{word}es"
    if word.endswith("s"):
        return word
    if word.endswith("y") and word[-2:-1] not in ("", *"aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def ask_count(category: str) -> str:
    """Ask how many there are."""
    return f"How many {plural(category)} are in the image?"


def ask_relation(target: str, anchor: str, *, framed: bool) -> str:
    """Ask where the target is, seen from the anchor; `framed` if there are several of its category."""
    which = f"{target} (annotated by the red box)" if framed else target
    return (
        f"Considering the relative positions of the {which} and the {anchor} in the image provided, "
        f"where is the {which} located with respect to the {anchor}?"
    )


def ask_depth(first: str, second: str) -> str:
    """Ask which of two is nearer to the camera."""
    return (
        f"Which object is closer to the camera taking this photo, {_framed(first, RED)} or "
        f"{_framed(second, BLUE)}?"
    )


def ask_distance(anchor: str, first: str, second: str) -> str:
    """Ask which of two is nearer to a third."""
    return (
        "Estimate the real-world distances between objects in this image. Which object is closer to "
        f"{_framed(anchor, RED)}, {_framed(first, BLUE)} or {_framed(second, GREEN)}?"
    )


def prompt_of(question: str, choices: Sequence[str]) -> str:
    """The question with its options, as the column `prompt` has them."""
    listed = "\n".join(f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=False))
    return f"{question} Select from the following choices.\n{listed}"


def letter_of(place: int) -> str:
    """The answer as the column `answer` has it."""
    return f"({LETTERS[place]})"


def _framed(name: str, colour: str) -> str:
    return f"the {name} (highlighted by a {colour} box)"
