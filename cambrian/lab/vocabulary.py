"""Every word of the lab's captions and questions."""

from __future__ import annotations

from cambrian.lab.asking import DIRECTIONS, ORDINALS, YES_NO
from cambrian.lab.facts import FACTS, PHRASINGS
from cambrian.lab.world import COLOURS, COLUMNS, DEPTHS, LETTERS, NUMBERS, ROWS, SHAPES

_GLUE = """
    a anything are bar chart colour column further high highest how in is letter letters lowest many minus
    nearer objects of or plus row shape sign the there what where which with written
"""


def _collect() -> tuple[str, ...]:
    words: set[str] = set(_GLUE.split())
    for known in (COLOURS, SHAPES, DEPTHS, ROWS, COLUMNS, LETTERS, NUMBERS):
        words.update(known)
    for known in (DIRECTIONS, ORDINALS, YES_NO):
        words.update(known)
    for _, subject, answer in FACTS:
        words.update((subject, answer))
    for phrasings in PHRASINGS.values():
        words.update(word for phrasing in phrasings for word in phrasing.format("").split())
    return tuple(sorted(words))


VOCABULARY: tuple[str, ...] = _collect()
"""All words, sorted; there are no others in any caption, question, answer or symbolic cell."""
