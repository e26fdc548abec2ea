"""Reading short answers: spelling differences that carry no meaning, number words, and refusals.

Everything here runs in time linear in the answer, which may be 100 kB of anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

UNITS: dict[str, int] = {word: value for value, word in enumerate(_UNITS)}
TENS: dict[str, int] = {word: 20 + 10 * index for index, word in enumerate(_TENS)}

_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
# Full-width forms are the same letters; superscripts are not the same digits, so NFKC would go too far.
_FOLDED = {0xFF01 + offset: chr(0x21 + offset) for offset in range(94)} | {ord(_APOSTROPHE): "'"}
_QUOTES = (
    "\"'*_`\N{LEFT SINGLE QUOTATION MARK}\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}«»"
)
_OPENING = _QUOTES + "([{<"
_CLOSING = _QUOTES + ")]}>.,;:!?…。"
_MARKUP = re.compile(r"[*_`~#]+|\$(?!\d)")
_THOUSANDS = re.compile(r"\D?\d{1,3}(?:,\d{3})+(?:\.\d+)?")

_REFUSAL = re.compile(
    r"\b(?:i|we) (?:really |just |simply )?"
    r"(?:can ?not|can't|could not|couldn't|am (?:not (?:able|sure|certain)|unable|unsure)|"
    r"are (?:not able|unable)|do not know|don't know|have no idea)\b"
    r"|\bi'm (?:not (?:able|sure|certain)|unable|unsure|sorry|afraid)\b"
    r"|\b(?:can ?not|can't|could not) be (?:determined|answered|seen|told|known|identified|inferred)\b"
    r"|\bnone of\b"
    r"|\b(?:not enough|no|insufficient) information\b|\bno (?:idea|way to (?:tell|know))\b"
    r"|\b(?:impossible|not possible) to (?:tell|say|determine|know|answer)\b"
    r"|^(?:don't know|do not know|not sure|unsure|unable to|cannot tell|can't tell)\b"
    r"|^sorry\b"
    r"|\b(?:image|picture|photo|text) is (?:too|not) (?:blurry|dark|small|clear|visible|legible|readable)\b"
    r"|无法(?:确定|判断|回答|看清)|不知道|不确定"
)
_CUES = 4
"""Corrections that are looked at, from the end; an answer may hold thousands of them."""
_CORRECTION = re.compile(
    r"\b(?:wait|actually|correction|on second thought|scratch that)\b"
    r"|\blet me (?:re-?)?(?:check|think|count)(?: again)?\b"
    r"|(?<=[.!?\n]) ?no,",
    re.IGNORECASE,
)
_DECLARED = re.compile(
    r"\b(?:answer|correct (?:one|option|choice))(?: (?:is|would be|should be|must be)\b[ :]?|:)",
    re.IGNORECASE,
)
# A sentence ends where a longer word, a mark and a capital follow each other: "Dr. Smith" is one piece.
_SENTENCE_END = re.compile(r"(?<=\w{3})[.!?] (?=[A-Z])|\n")


def normalise(text: str) -> str:
    """Bring `text` to the form in which two equal short answers are the same string.

    Lower case, single spaces, no quotes, brackets or markup around words, no punctuation at their end, no
    articles before words, digits for the numbers from zero to ninety-nine, no commas between thousands.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).translate(_FOLDED)
    tokens = [token.rstrip(_CLOSING).lstrip(_OPENING) for token in folded.split()]
    tokens = [token.replace(",", "") if _THOUSANDS.fullmatch(token) else token for token in tokens if token]
    return " ".join(_without_articles(digits_for_words(tokens)))


@lru_cache(maxsize=4096)
def normalise_options(options: tuple[str, ...]) -> tuple[str, ...]:
    """Normalise the options of a question; remembered, because many questions share theirs."""
    return tuple(map(normalise, options))


def digits_for_words(tokens: Iterable[str]) -> list[str]:
    """Replace number words by digits: `three` by 3, `twenty one` and `twenty-one` by 21."""
    result: list[str] = []
    open_tens = 0  # value of a preceding `twenty` that a unit may still join
    for token in tokens:
        head, dash, tail = token.partition("-")
        if dash and head in TENS and 0 < UNITS.get(tail, 0) < 10:
            result.append(str(TENS[head] + UNITS[tail]))
            open_tens = 0
        elif open_tens and 0 < UNITS.get(token, 0) < 10:
            result[-1] = str(open_tens + UNITS[token])
            open_tens = 0
        else:
            open_tens = TENS.get(token, 0)
            result.append(str(open_tens or UNITS.get(token, token)))
    return result


def refuses(text: str) -> bool:
    """Whether `text` says that it gives no answer."""
    return _REFUSAL.search(plain(text).lower()) is not None


def plain(text: str) -> str:
    """Compatibility forms (such as full-width letters) resolved, markup dropped, one space, one newline."""
    resolved = unicodedata.normalize("NFKC", text).replace(_APOSTROPHE, "'")
    bare = _MARKUP.sub("", resolved)
    lines = (" ".join(line.split()) for line in bare.splitlines())
    return "\n".join(line for line in lines if line)


def declared(text: str) -> str | None:
    """What follows the last `answer is` or `answer:`, up to the end of its sentence; None without one."""
    starts = list(_DECLARED.finditer(text))
    return _SENTENCE_END.split(text[starts[-1].end() :].strip(), maxsplit=1)[0] if starts else None


def corrections(text: str) -> list[str]:
    """What follows each `wait`, `actually` and the like, the last one first."""
    cues = list(_CORRECTION.finditer(text))[-_CUES:]
    return [text[cue.end() :].lstrip(" ,.:-\n") for cue in reversed(cues)]


def _without_articles(tokens: Sequence[str]) -> list[str]:
    # From the right, so that an article is judged by the word that stays after it. A single `a` before a
    # single character is kept: it is a letter of a sign that was spelt out, not an article.
    kept: list[str] = []
    for word in reversed(tokens):
        follower = kept[-1] if kept else ""
        article = (word == "the" and follower) or (word in ("a", "an") and len(follower) > 1)
        if not article:
            kept.append(word)
    return kept[::-1]
