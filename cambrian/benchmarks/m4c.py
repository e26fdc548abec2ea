"""How the authors' scorer of TextVQA and VizWiz spells answers before it compares them.

It is the official one of VQA as M4C carries it (Hu et al. 2020), with its slips: at most 32 full stops go,
whatever is before them, and of number words only those up to ten are known.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations

_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
_ARTICLES = ("a", "an", "the")
_SHORTENED = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
    haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've
    might've mustn't must've needn't not've o'clock oughtn't shan't she'd've should've shouldn't
    shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's
    something'd something'd've something'll that's there'd there'd've there're there's they'd
    they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
    what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's
    won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're
    you've
""".split()  # noqa: SIM905 - a list of 90 quoted words would be no easier to read
_MARKS = tuple(r""";/[]"{}()=+\_-><@`,?!""")
# The official pattern also means to spare a full stop after a digit, but its look-behind is none.
_FULL_STOP = re.compile(r"\.(?!\d)")
_COMMA = re.compile(r"(?<=\d),+(?=\d)")
_STOPS = 32


def _misspelt(word: str) -> list[str]:
    """The word with one, two or more of its apostrophes left out."""
    places = [index for index, character in enumerate(word) if character == "'"]
    drops = [set(drop) for count in range(1, len(places) + 1) for drop in combinations(places, count)]
    return ["".join(c for index, c in enumerate(word) if index not in drop) for drop in drops]


_APOSTROPHES = {wrong: word for word in _SHORTENED for wrong in _misspelt(word)}


@lru_cache(maxsize=1 << 15)
def spell(answer: str) -> str:
    """Bring an answer to the form that is compared."""
    text = answer.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    spelt = text
    for mark in _MARKS:
        beside_space = f"{mark} " in text or f" {mark}" in text
        spelt = spelt.replace(mark, "" if beside_space or _COMMA.search(text) else " ")
    spelt = _FULL_STOP.sub("", spelt, count=_STOPS)
    words = [_NUMBERS.get(word, word) for word in spelt.lower().split()]
    return " ".join(_APOSTROPHES.get(word, word) for word in words if word not in _ARTICLES)
