"""How much one answer is worth, from 0 to 1, in each benchmark's own measure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from cambrian.benchmarks.distance import levenshtein
from cambrian.benchmarks.matchers import Matcher, within
from cambrian.benchmarks.quantities import parse_number
from cambrian.benchmarks.records import Question
from cambrian.benchmarks.text import normalise

Credit = Callable[[Matcher, str, Sequence[str], Question], float]
"""(matcher, canonical answer, canonical accepted answers, question) -> credit."""

HANDWRITTEN = "Handwritten Mathematical Expression Recognition"
"""The part of OCRBench in which spaces mean nothing."""
_WHOLLY_A_NUMBER = re.compile(r"[-+]?[$€£¥₹]?[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+) ?%?")
_LISTED = re.compile(r"[^\s,\[\]]+")
_CLOSE_ENOUGH = 0.5
"""Share of characters that may differ before an answer is another answer."""


def exact(matcher: Matcher, given: str, wanted: Sequence[str], question: Question) -> float:
    """1 for any accepted answer, as the matcher compares them."""
    return float(any(matcher.same(given, one) for one in wanted))


def relaxed(matcher: Matcher, given: str, wanted: Sequence[str], question: Question) -> float:
    """Within 5 % of a number, else the same text: ChartQA (Masry et al. 2022, section 5.1).

    The tolerance is relative to the accepted number. `42%`, `$42` and `42` are one number.
    """
    return float(any(_relaxed(given, one) for one in wanted))


def anls(matcher: Matcher, given: str, wanted: Sequence[str], question: Question) -> float:
    """One minus the edit distance over the longer length, 0 from a half on; the best of the accepted answers.

    Biten et al. 2019, "Scene Text Visual Question Answering", section 4.2, with threshold 0.5, as DocVQA and
    InfoVQA use it.
    """
    return max((_similarity(given, one) for one in wanted), default=0.0)


def vqa_accuracy(matcher: Matcher, given: str, wanted: Sequence[str], question: Question) -> float:
    """Agreement with people: a third for each who gave this answer, at most 1, leaving out each one in turn.

    Antol et al. 2015 and Goyal et al. 2017, as their scorer averages it; TextVQA and VizWiz use it.
    """
    said = _normalised(given)
    return leave_one_out([_normalised(one) == said for one in wanted])


def leave_one_out(agreeing: Sequence[bool]) -> float:
    """Mean of min(1, n / 3) over the people left out in turn, with n of the others agreeing."""
    n = sum(agreeing)
    return math.fsum(min(1.0, (n - left_out) / 3) for left_out in agreeing) / len(agreeing)


def contains(matcher: Matcher, given: str, wanted: Sequence[str], question: Question) -> float:
    """1 if an accepted answer stands in the reply: OCRBench (Liu et al. 2023, section 3).

    It must stand there as words of its own: `1` is not in `12`. In handwritten formulas, spaces are nothing.
    """
    if question.part == HANDWRITTEN:
        return float(any("".join(one.split()) in "".join(given.split()) for one in wanted if one))
    return float(any(_stands_in(one, given) for one in wanted if one))


def mathvista(matcher: Matcher, given: str, wanted: Sequence[str], question: Question) -> float:
    """The option; or the number, rounded as the accepted one is; or the list or text.

    Lu et al. 2024, "MathVista", section 3.3: answers are normalised to the accepted one's precision.
    """
    if question.answer.startswith("["):
        return float(any(_LISTED.findall(given) == _LISTED.findall(one) for one in wanted))
    near = not question.options and any(_as_precise(given, one) for one in wanted)
    return float(near or any(matcher.same(given, one) for one in wanted))


@lru_cache(maxsize=1 << 15)
def _normalised(answer: str) -> str:
    # Ten people give few different answers, and a model is asked twice.
    return normalise(answer)


def _relaxed(given: str, wanted: str) -> bool:
    if _WHOLLY_A_NUMBER.fullmatch(wanted):
        number, target = parse_number(given), parse_number(wanted)
        return number is not None and target is not None and within(0.05)(number, target)
    return normalise(given) == normalise(wanted)


def _similarity(given: str, wanted: str) -> float:
    longer = max(len(given), len(wanted))
    if given == wanted or not longer:
        return float(given == wanted)
    if abs(len(given) - len(wanted)) >= _CLOSE_ENOUGH * longer:
        return 0.0
    distance = levenshtein(given, wanted) / longer
    return 1.0 - distance if distance < _CLOSE_ENOUGH else 0.0


def _stands_in(wanted: str, given: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", given) is not None


def _as_precise(given: str, wanted: str) -> bool:
    number = parse_number(given)
    if number is None or not _WHOLLY_A_NUMBER.fullmatch(wanted):
        return False
    decimals = len(wanted.partition(".")[2])
    target = parse_number(wanted)
    return target is not None and round(float(number), decimals) == float(target)
