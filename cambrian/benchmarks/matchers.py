"""From what a model said to what it answered, or to nothing: a matcher never guesses and never raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cambrian.benchmarks.choice import parse_choice
from cambrian.benchmarks.quantities import parse_number
from cambrian.benchmarks.spoken import fold_text, parse_short, parse_text, parse_yes_no
from cambrian.benchmarks.text import normalise
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
    """(raw text, options) -> canonical answer, or None."""
    wanted: Callable[[str, Sequence[str]], str | None]
    """The same for the benchmark's own answers, which refuse and declare nothing."""
    same: Callable[[str, str], bool]
    """(given, wanted), both canonical -> whether the given answer is right."""
    answers: int | None = None
    """How many answers there are when a question lists no options; None for open questions."""

    def read(self, raw: str, options: Sequence[str]) -> Parsed:
        """Parse `raw`, a model's answer to a question with these options."""
        return Parsed(value=self.parse(raw, options))


def _closed(parse: Callable[[str], str | None]) -> Callable[[str, Sequence[str]], str | None]:
    """Read an answer whose form does not depend on the options."""
    return lambda raw, options: parse(raw)


def _choice(raw: str, options: Sequence[str]) -> str | None:
    # Some sets of questions with options hold a few without; these are open.
    return parse_choice(raw, options) if options else parse_short(raw, ())


def _wanted_choice(answer: str, options: Sequence[str]) -> str | None:
    return parse_choice(answer, options) if options else normalise(answer) or None


def _wanted_short(answer: str, options: Sequence[str]) -> str | None:
    return parse_short(answer, options) if options else normalise(answer) or None


def within(tolerance: float) -> Callable[[str, str], bool]:
    """Compare numbers with a tolerance relative to the wanted one (never to the given one)."""

    def same(given: str, wanted: str) -> bool:
        return abs(float(given) - float(wanted)) <= tolerance * abs(float(wanted))

    return same


def _equal(given: str, wanted: str) -> bool:
    return given == wanted


def _equal_or_equal_numbers(given: str, wanted: str) -> bool:
    if given == wanted:
        return True
    number = parse_number(wanted)
    return number is not None and number == parse_number(given)


_NUMBER = _closed(parse_number)
_YES_NO = _closed(parse_yes_no)

MATCHERS: dict[str, Matcher] = {
    matcher.name: matcher
    for matcher in (
        Matcher(name="short", parse=parse_short, wanted=_wanted_short, same=_equal),
        Matcher(name="choice", parse=_choice, wanted=_wanted_choice, same=_equal_or_equal_numbers),
        Matcher(name="yes_no", parse=_YES_NO, wanted=_YES_NO, same=_equal, answers=2),
        Matcher(name="number", parse=_NUMBER, wanted=_NUMBER, same=within(0.0)),
        # Relaxed accuracy of ChartQA (Masry et al. 2022, section 5.1): 5 % of the labelled value.
        Matcher(name="number_5_percent", parse=_NUMBER, wanted=_NUMBER, same=within(0.05)),
        Matcher(
            name="text",
            parse=_closed(parse_text),
            wanted=lambda answer, _: fold_text(answer) or None,
            same=_equal,
        ),
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
