"""Reading open answers: yes and no, a short answer, text that was read from a picture."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from cambrian.benchmarks.text import corrections, declared, normalise, normalise_options, plain, refuses
from cambrian.benchmarks.wrapping import unwrap

_YES_NO = {
    **dict.fromkeys(("yes", "yeah", "yep", "yup", "true"), "yes"),
    **dict.fromkeys(("no", "nope", "nah", "false"), "no"),
}
_WORD = "|".join(_YES_NO)
_BOTH = re.compile(r"\b(?:(?:answer|respond|reply)(?: with)? )?(?:yes|no) ?(?:or|and|/) ?(?:yes|no)\b")
_FIRST = re.compile(
    rf"[^\w]*({_WORD})\b(?! (?:idea|way|information|answer|clue|one|part)\b|\.\d|[-'])", re.IGNORECASE
)
_DECLARED = re.compile(rf"\banswer(?: (?:is|would be|should be|must be))?[ :\n\"']{{0,4}}({_WORD})\b(?!-)")
# A `no` before a noun is no answer: whether "there is no dog" means no depends on the question.
_ALONE = re.compile(rf"(?<!not )\b({_WORD})(?=[.,;!?)\"'\n]|$)(?!\.\d)")

_QUOTED = re.compile(
    r"\b(?:reads?|says?|is|written|shows?)\b[ :]{0,2}[\"\u201c]([^\"\u201c\u201d]{1,200})[\"\u201d]",
    re.IGNORECASE,
)
_SAYS = re.compile(r"(?:it|the (?:text|sign|word|label)) (?:says|reads) (.+)", re.IGNORECASE | re.DOTALL)
_IT_IS = re.compile(r"(?:it|this|that)(?: is|'s) (\S{1,40}(?: \S{1,40}){0,3})", re.IGNORECASE)
_AROUND = " \t\n\r\"'`\u2018\u2019\u201c\u201d«»"
_LAYERS = 4
"""Quotes and markup around each other that are taken away."""


def parse_yes_no(raw: str) -> str | None:
    """Read yes or no: after `answer is`, as the first word, or as the one such word that stands alone."""
    text = plain(unwrap(raw)).lower()
    for tail in corrections(text):
        found = set(_DECLARED.findall(tail))
        if found:
            return _only(found)
    bare = _BOTH.sub("?", text)
    found = set(_DECLARED.findall(bare))
    if found:
        return _only(found)
    first = _FIRST.match(bare)
    alone = set(_ALONE.findall(bare))
    if first:
        return _only({first[1], *alone})
    return None if refuses(text) else _only(alone)


def _only(words: set[str]) -> str | None:
    values = {_YES_NO[word] for word in words}
    return values.pop() if len(values) == 1 else None


def parse_short(raw: str, options: Sequence[str]) -> str | None:
    """Read a short answer; with options, only one of them (up to spelling) counts as an answer."""
    text = unwrap(raw)
    value = normalise(text)
    known = normalise_options(tuple(options))
    if options and value in known:
        return value or None
    tail = declared(text)
    if tail is None and (whole := _IT_IS.fullmatch(text.strip())):
        tail = whole[1]
    if tail is not None:
        value = normalise(tail)
    if options:
        return value if value and value in known else None
    return value if value and not refuses(text) else None


def parse_text(raw: str) -> str | None:
    """Read text from a picture: what is declared or quoted, else all of it; case and spaces folded."""
    text = unwrap(raw)
    tail = declared(text)
    if tail is None:
        quoted = _QUOTED.findall(text)
        said = _SAYS.fullmatch(text.strip())
        tail = quoted[0] if len(quoted) == 1 else said[1] if said else text
    value = fold_text(tail)
    return value if value and not refuses(text) else None


def fold_text(text: str) -> str:
    """Bring text to the form in which two equal ones are the same string: no markup or quotes around it."""
    folded = unicodedata.normalize("NFC", text).casefold()
    for _ in range(_LAYERS):
        folded = folded.strip(_AROUND).rstrip(".,;:!?")
        if folded[:1] in ("*", "_") and folded[-1:] == folded[:1]:
            folded = folded.strip(folded[0])
    return " ".join(unicodedata.normalize("NFC", folded).split())
