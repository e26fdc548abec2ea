"""Reading one number from running text: spelt out, with units, money, percent, powers and fractions."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator

from cambrian.benchmarks.text import TENS, UNITS, refuses
from cambrian.benchmarks.wrapping import unwrap

_CURRENCY = "$€£¥₹"
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
# Neither digits inside words, dates, times and codes nor `nan` and `inf` are numbers here.
_DIGITS = (
    rf"(?<![\w./:,^-])[{_CURRENCY}]?(-?[{_CURRENCY}]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:e[+-]?\d{{1,3}})?"
    r"|-?\.\d+)(?![\w/:^]|[.,-]\d)"
)
_NUMBER = re.compile(rf"{_DIGITS}(?: ({'|'.join(_SCALES)})\b)?")
_SIGN = rf"(?=[\d{_CURRENCY}.-])"

_DECLARED = re.compile(
    rf"\banswer(?: (?:is|would be|must be))?(?: (?:about|approximately|around))?[ ;=]{{0,3}}{_SIGN}"
)
_EQUALS = re.compile(rf"= ?{_SIGN}")
_TOTAL = re.compile(rf"\b(?:total|sum)(?: of| is)?[ ;]{{0,3}}{_SIGN}")
_TOTAL_AFTER = re.compile(rf"{_NUMBER.pattern}(?: [a-z]+)? (?:in total|altogether)\b")
_YEAR = re.compile(r"\b(?:in|by|since|from|during|year) (?:1[5-9]|20)\d\d\b(?!,\d)")
_BETWEEN = re.compile(rf"\bbetween {_NUMBER.pattern} and {_NUMBER.pattern}")
_COUNTING = re.compile(r"\b1 ;(?: \d{1,3} ;){2,}")

_JOINING = ("hundred", "thousand")
_ONE_OF_SCALE = re.compile(rf"\ban? (?=(?:{'|'.join(_SCALES)})\b)")
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED = re.compile(r"(?<=\d)([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]{1,4})")
_SCIENTIFIC = re.compile(
    r"(?<![\w.,])(\d{1,18}(?:\.\d{1,18})?) ?[x\N{MULTIPLICATION SIGN}*] ?10\^(-?\d{1,3})(?!\d)"
)
_POWER = re.compile(r"(?<![\w.^])(\d{1,6})\^(-?\d{1,2})(?![\w^])")
_MIXED = re.compile(r"(?<![\w./,-])(\d{1,4}) (\d{1,4})/(\d{1,4})(?![\w/]|[.,-]\d)")
_FRACTION = re.compile(r"(?<![\w./,-])(-?)(\d{1,9})/(\d{1,9})(?![\w/]|[.,-]\d)")
_NARROW_THOUSANDS = re.compile(
    r"(?<![\w.,])\d{1,3}(?:[\u00a0\u202f\u2009]\d{3}(?:[ \u00a0\u202f\u2009]\d{3})*)(?!\d)"
)
_SPACED_THOUSANDS = re.compile(r"(?<![\w.,] )(?<![\w.,])\d{1,3}(?: \d{3}){2,}(?! ?\d)")
_SUFFIXES = {"k": "thousand", "K": "thousand", "M": "million", "B": "billion", "bn": "billion"}
_SUFFIX = re.compile(rf"(?<![\w.])(-?\d{{1,18}}(?:\.\d{{1,18}})?)({'|'.join(_SUFFIXES)})(?!\w)")
_UNIT = re.compile(
    r"(?<![\w.,:/])(-?\d{1,18}(?:[.,]\d{1,18}){0,6})(?:[cmkµ]?m|[km]?g|lbs?|oz|ft|in|inch(?:es)?|m?l|[kmg]?hz|[kmgt]b|k?wh?"
    r"|mph|kmh|px|min|m?s|h|[cf])(?=[\s.,;:!?)/]|$)",
    re.IGNORECASE,
)


def parse_number(raw: str) -> str | None:
    """Read the number that `raw` gives as its answer, in canonical form, or None.

    One after `answer is` decides; else a result after `=`, a total, or the only number that there is. Equal
    ones count once; a list counted aloud (1, 2, 3, ...), a range and years count if there is nothing else.
    """
    bare = unwrap(raw)
    if refuses(bare):
        return None
    text = " ".join(_spelt_out(_tokens(_in_digits(bare))))
    for evidence in (_DECLARED, _EQUALS, _TOTAL):
        found = {_value(m) for start in evidence.finditer(text) if (m := _NUMBER.match(text, start.end()))}
        if found:
            return _only(found)
    found = {_value(match) for match in _TOTAL_AFTER.finditer(text)}
    if found:
        return _only(found)
    rest = _COUNTING.sub(" ", text)
    for candidate in (_BETWEEN.sub(" ", _YEAR.sub(" ", rest)), rest):
        found = {_value(match) for match in _NUMBER.finditer(candidate)}
        if found:
            return _only(found)
    return None


_UNIT_AFTER = re.compile(r"\d[ \u00a0]?(%|percent\b|per cent\b|[a-zµ°]{1,8}[23]?)(?!\w)", re.IGNORECASE)


def quantity(text: str) -> tuple[str, str] | None:
    """The number that `text` gives and its unit, `$` and `%` among them; "" where there is none."""
    number = parse_number(text)
    if number is None:
        return None
    if money := re.search(rf"[{_CURRENCY}]", text):
        return number, money[0]
    units = {match[1].lower() for match in _UNIT_AFTER.finditer(text)}
    unit = units.pop() if len(units) == 1 else ""
    return number, {"percent": "%", "per cent": "%"}.get(unit, unit)


def _only(values: set[float]) -> str | None:
    value = values.pop()
    return f"{value:.15g}" if not values and math.isfinite(value) else None


def _value(match: re.Match[str]) -> float:
    scale = _SCALES[match[2]] if match[2] else 1.0
    return scale * float(re.sub(rf"[,{_CURRENCY}]", "", match[1]))


def _in_digits(text: str) -> str:
    """Powers, fractions, grouped thousands and letters for scales and units written as plain numbers."""
    powers = _RAISED.sub(lambda match: "^" + match[1].translate(_POWERS), text)
    grouped = _NARROW_THOUSANDS.sub(lambda match: re.sub(r"\s", "", match[0]), powers)
    plain = (
        unicodedata.normalize("NFKC", grouped)
        .replace("\N{MINUS SIGN}", "-")
        .replace("\N{FRACTION SLASH}", "/")
    )
    plain = _SPACED_THOUSANDS.sub(lambda match: match[0].replace(" ", ""), plain)
    plain = _SCIENTIFIC.sub(r"\1e\2", plain)
    plain = _POWER.sub(
        lambda match: f"{float(match[1]) ** int(match[2]):.15g}" if int(match[1]) else match[0], plain
    )
    plain = _MIXED.sub(lambda match: _quotient(match, match[2], match[3], float(match[1])), plain)
    plain = _FRACTION.sub(lambda match: match[1] + _quotient(match, match[2], match[3], 0.0), plain)
    plain = _SUFFIX.sub(lambda match: f"{match[1]} {_SUFFIXES[match[2]]}", plain)
    return _UNIT.sub(r"\1 ", plain)


def _quotient(match: re.Match[str], over: str, under: str, whole: float) -> str:
    return f"{whole + int(over) / int(under):.15g}" if int(under) else match[0]


def _tokens(text: str) -> Iterator[str]:
    # What may surround a number is dropped; a punctuation mark stays as a token of its own, so that
    # "twenty, one" is two numbers.
    bare = _ONE_OF_SCALE.sub("1 ", re.sub(r"[*_`~#()\[\]{}\"%]", " ", text).lower())
    for token in re.sub(rf"(?<=[{_CURRENCY}]) (?=\d)", "", bare).split():
        word = token.rstrip(".,;:!?")
        yield from ((word,) if word else ())
        if word != token:
            yield ";"


def _spelt_out(tokens: Iterable[str]) -> Iterator[str]:
    """Replace spelt numbers by digits: `one hundred and five` by 105; what follows no rule stays apart."""
    run: list[str] = []
    for word in [*(part for whole in tokens for part in _parts(whole)), ";"]:
        after_scale = bool(run) and run[-1] in _JOINING
        if word in UNITS or word in TENS or (run and word in _JOINING) or (after_scale and word == "and"):
            run.append(word)
        else:
            yield from _numerals(run)
            run = []
            yield word


def _parts(word: str) -> tuple[str, ...]:
    head, dash, tail = word.partition("-")
    return (head, tail) if dash and head in TENS and 0 < UNITS.get(tail, 0) < 10 else (word,)


def _numerals(run: list[str]) -> Iterator[str]:
    """The numbers that a run of number words gives, in digits."""
    total = current = 0
    last, ended = "", True
    for word in run:
        if word == "and":
            continue
        small = UNITS.get(word, TENS.get(word))
        if small is None:
            scale = int(_SCALES[word])
            total, current = (total, current * 100) if scale == 100 else (total + current * 1000, 0)
        else:
            joins = last in _JOINING or (last in TENS and 0 < small < 10)
            if not ended and not joins:
                yield str(total + current)
                total = current = 0
            current += small
        last, ended = word, False
    if not ended:
        yield str(total + current)
