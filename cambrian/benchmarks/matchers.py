"""From what a model said to what it answered, or to nothing: a matcher never guesses and never raises."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cambrian.benchmarks.choice import parse_choice
from cambrian.benchmarks.text import digits_for_words, normalise, normalise_options, plain, refuses
from cambrian.errors import UserError, unknown_name


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """An answer in canonical form, or None where the text gives none."""

    value: str | None


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """How the answers of a benchmark are read and compared."""

    name: str
    parse: Callable[[str, Sequence[str]], str | None]
    """(raw text, options) -> canonical answer; also reads the benchmark's own answers."""
    same: Callable[[str, str], bool]
    """(given, wanted), both canonical -> whether the given answer is right."""
    answers: int | None = None
    """How many answers there are when a question lists no options; None for open questions."""

    def read(self, raw: str, options: Sequence[str]) -> Parsed:
        """Parse `raw`, a model's answer to a question with these options."""
        return Parsed(value=self.parse(raw, options))


def parse_short(raw: str, options: Sequence[str]) -> str | None:
    """Read a short answer; with options, only one of them (up to spelling) counts as an answer."""
    value = normalise(raw)
    if options:
        return value if value and value in normalise_options(tuple(options)) else None
    return value if value and not refuses(raw) else None


_YES_NO = {"yes": "yes", "yeah": "yes", "yep": "yes", "no": "no", "nope": "no"}
_YES_NO_WORD = "|".join(_YES_NO)
_YES_NO_BOTH = re.compile(r"\b(?:yes|no) ?(?:or|and|/) ?(?:yes|no)\b")
_YES_NO_FIRST = re.compile(rf"[^\w]*({_YES_NO_WORD})\b(?! (?:idea|way|information|answer|clue)\b)")
_YES_NO_DECLARED = re.compile(rf"\banswer(?: is)?[ :\n]{{0,3}}({_YES_NO_WORD})\b")
# A `no` before a noun is no answer: whether "there is no dog" means no depends on the question.
_YES_NO_ALONE = re.compile(rf"(?<!not )\b({_YES_NO_WORD})(?=[.,;!?)\"'\n]|$)")


def parse_yes_no(raw: str, options: Sequence[str]) -> str | None:
    """Read yes or no: as the first word, after `answer is`, or as the one such word that stands alone."""
    text = plain(raw).lower()
    if _YES_NO_BOTH.search(text):
        return None
    declared = {_YES_NO[word] for word in _YES_NO_DECLARED.findall(text)}
    if declared:
        return declared.pop() if len(declared) == 1 else None
    first = _YES_NO_FIRST.match(text)
    if first:
        return _YES_NO[first[1]]
    if refuses(raw):
        return None
    alone = {_YES_NO[word] for word in _YES_NO_ALONE.findall(text)}
    return alone.pop() if len(alone) == 1 else None


_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
# Neither digits inside words, dates, times and fractions nor `nan` and `inf` are numbers here.
_NUMBER = re.compile(
    r"(?<![\w./:,^-])[$€£¥]?(-?[$€£¥]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d{1,3})?|-?\.\d+)"
    r"(?![\w/:^]|[.,-]\d)"
    rf"(?: ({'|'.join(_SCALES)})\b)?"
)
_ANSWER_IS = re.compile(r"\banswer(?: is)?[ ;=]{0,3}(?=[\d$€£¥.-])")


def parse_number(raw: str, options: Sequence[str]) -> str | None:
    """Read a number: the one after `answer is`, or the only one in the text (equal ones count once)."""
    if refuses(raw):
        return None
    text = " ".join(digits_for_words(_number_tokens(raw)))
    declared = [_NUMBER.match(text, match.end()) for match in _ANSWER_IS.finditer(text)]
    found = [match for match in declared if match] or _NUMBER.finditer(text)
    numbers = {_value(match) for match in found}
    if len(numbers) != 1:
        return None
    value = numbers.pop()
    return f"{value:.15g}" if math.isfinite(value) else None


def _number_tokens(raw: str) -> Iterator[str]:
    # What may surround a number is dropped; a punctuation mark stays as a token of its own, so that
    # "twenty, one" is two numbers.
    bare = re.sub(r"[*_`~#()\[\]\"%]", " ", raw.replace("\N{MINUS SIGN}", "-")).lower()
    for token in bare.split():
        word = token.rstrip(".,;:!?")
        yield word
        if word != token:
            yield ";"


def _value(match: re.Match[str]) -> float:
    scale = _SCALES[match[2]] if match[2] else 1.0
    return scale * float(re.sub(r"[,$€£¥]", "", match[1]))


def within(tolerance: float) -> Callable[[str, str], bool]:
    """Compare numbers with a tolerance relative to the wanted one (never to the given one)."""

    def same(given: str, wanted: str) -> bool:
        return abs(float(given) - float(wanted)) <= tolerance * abs(float(wanted))

    return same


def _equal(given: str, wanted: str) -> bool:
    return given == wanted


MATCHERS: dict[str, Matcher] = {
    matcher.name: matcher
    for matcher in (
        Matcher(name="short", parse=parse_short, same=_equal),
        Matcher(name="choice", parse=parse_choice, same=_equal),
        Matcher(name="yes_no", parse=parse_yes_no, same=_equal, answers=2),
        Matcher(name="number", parse=parse_number, same=within(0.0)),
        # Relaxed accuracy of ChartQA (Masry et al. 2022, section 5.1): 5 % of the labelled value.
        Matcher(name="number_5_percent", parse=parse_number, same=within(0.05)),
    )
}


def find_matcher(name: str) -> Matcher:
    """Look up a matcher.

    Raises:
        UserError: if there is none of that name.
    """
    if name not in MATCHERS:
        raise UserError(unknown_name("matcher", name, MATCHERS))
    return MATCHERS[name]
