"""Reading the answer to a multiple-choice question: a letter, or nothing.

Evidence is looked for from strong to weak: the whole text is a label or an option; the text declares its
answer ("the answer is B"); it marks one label ("(B)", "B. ..."); it mentions one option. The first kind that
occurs decides. Two different answers of the same kind are no answer, and so is a label beside the text of
another option: this matcher prefers to say nothing over being wrong.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cambrian.benchmarks.quantities import quantity
from cambrian.benchmarks.text import corrections, normalise, plain, refuses
from cambrian.benchmarks.wrapping import unwrap

_CLOSE = r"[)\]}]?"
_BARE = r"[\"'\u201c\u2018(\[{]?([A-Za-z])(?!\w|['-]\w)" + _CLOSE
_END = r"(?=[.,;:!\n)]|$)"

_WHOLE = re.compile(rf"[^\w]*(?:(?:option|choice|answer|letter)\b[ :]{{0,2}})?{_BARE}[^\w]*", re.IGNORECASE)
_REPEATED = re.compile(r"[^\w]*([A-Za-z])(?:[^\w]+\1)+[^\w]*")
_SURELY = (
    r"indeed|definitely|probably|likely|most likely|clearly|actually|certainly|obviously|surely"
    r"|perhaps|maybe|possibly"
)
_DECLARED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:answer|ans|choose|pick|select|go with|correct (?:one|option|choice|letter))\b\.?"
        rf"(?: (?:is|would be|should be|must be|the|option|choice|letter|{_SURELY})\b){{0,4}}[ :=>\n-]{{0,4}}"
        rf"(?:(?:option|choice|letter) )?{_BARE}",
        rf"(?<![\w']){_BARE} (?:is|seems|must be) (?:the )?(?:correct|right|best|answer)\b",
    )
)
_DECLARED_TEXT = re.compile(r"\b(?:answer|correct (?:one|option|choice))(?: is|:)[ :\n]{0,3}", re.IGNORECASE)
_FINAL = re.compile(r"\bfinal answer\b", re.IGNORECASE)
_MARKED = (
    re.compile(r"(?<!\w)[(\[{]([A-Za-z])[)\]}]"),
    re.compile(r"^([A-Za-z])(?:[.):](?!\w)| ?[-\u2013\u2014,](?= ))", re.MULTILINE),
    re.compile(r"^([A-Za-z])$", re.MULTILINE),
    re.compile(r"(?:^|[,;:.] |\bthat )([A-Z])(?= (?:is|because|since|as|seems|looks)\b)", re.MULTILINE),
    re.compile(rf"\b(?:[Oo]ption|[Cc]hoice|[Ll]etter) {_BARE}"),
    re.compile(
        rf"(?:\b(?i:is|be|say|think|believe|guess|so|thus|hence|it's|but|{_SURELY})|[,:=-])"
        rf" ([B-Zb-z]|A){_END}"
    ),
)
_JOINED = re.compile(rf"[.)\]}}]? ?(?:\bor\b|\band\b|/|&|,) ?(?:option )?{_BARE}", re.IGNORECASE)

_CLAUSE = re.compile(r"([.,;!?\n]| but )")
_NEGATED_CLAUSE = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|could|would|should|will|has|have|be|am|may|might) not\b"
    r"|n't\b|\bcannot\b|\b(?:incorrect|wrong|unlikely|false|eliminated|ruled out)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|neither|nor|never|without|except|unlike|instead of|rather than|other than|no(?! doubt))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Options:
    """Letters and normalised texts of a question's options."""

    given: tuple[str, ...]

    @cached_property
    def letters(self) -> str:
        return string.ascii_uppercase[: len(self.given)]

    @cached_property
    def texts(self) -> tuple[str, ...]:
        return tuple(normalise(plain(option)) for option in self.given)

    @cached_property
    def quantities(self) -> list[tuple[str, str] | None]:
        return [quantity(option) for option in self.given]

    @cached_property
    def have_refusal(self) -> bool:
        """Whether one of them says that it cannot be told."""
        return any(refuses(option) for option in self.given)

    @cached_property
    def have_denial(self) -> bool:
        """Whether one of them denies something."""
        words = " | ".join(self.texts)
        return bool(_NEGATION.search(words) or _NEGATED_CLAUSE.search(words))

    @cached_property
    def anywhere(self) -> re.Pattern[str] | None:
        """Finds them in normalised text; of overlapping ones the longest."""
        names = sorted((name for name in set(self.texts) if name), key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)") if names else None

    def named(self, text: str) -> str | None:
        """Letter of the one option whose text is exactly `text` (normalised)."""
        return self.letters[self.texts.index(text)] if text and self.texts.count(text) == 1 else None

    def mentioned(self, text: str) -> set[str]:
        """Letters of the options whose texts occur in `text`."""
        if self.anywhere is None:
            return set()
        found = set(self.anywhere.findall(normalise_words(text)))
        return {letter for letter, name in zip(self.letters, self.texts, strict=True) if name in found}


@lru_cache(maxsize=4096)
def _known(options: tuple[str, ...]) -> _Options:
    # A question is answered with the image and without, and many share their options.
    return _Options(options)


def parse_choice(raw: str, options: Sequence[str]) -> str | None:
    """Read which option `raw` chooses: its upper-case letter, or None."""
    assert 0 < len(options) <= len(string.ascii_uppercase), f"{len(options)} options"
    text = plain(unwrap(raw))
    known = _known(tuple(options))
    for tail in corrections(text):
        letter = _outright(_ITS.sub("", tail, count=1), known) or _only(_declared(tail, known))
        if letter:
            return letter
    outright = _outright(text, known)
    if outright:
        return outright
    affirmed = _affirmed(text, known)
    for evidence in (_declared(affirmed, known), _declared_text(affirmed, known)):
        if evidence:
            return _only(evidence)
    hedged, _, rest = text.rpartition(" but ")
    if not known.have_refusal and refuses(text):
        if not hedged or refuses(rest):
            return None
        affirmed = _affirmed(rest, known)
    marked = _labels(affirmed, _MARKED, known) | _label_before_text(affirmed, known)
    found = marked or known.mentioned(affirmed.rpartition(" but ")[2])
    return _only(found) or (None if marked else _quantity(raw, known))


_ITS = re.compile(
    r"^(?:(?:it|that|this) (?:is|should be|must be)|it's|that's|should be|must be) ", re.IGNORECASE
)
_LABEL_FIRST = re.compile(r"[(\[{]?[Aa](?:[)\]}.:,]|$)")


def _outright(text: str, options: _Options) -> str | None:
    """The letter where the whole text is a label, said once or again and again, or one option."""
    whole = _WHOLE.fullmatch(text) or _REPEATED.fullmatch(text)
    if whole and whole[1].upper() in options.letters:
        return whole[1].upper()
    # What is left of "A: lamp" without the article would be "lamp", but it names two options.
    return None if _LABEL_FIRST.match(text) else options.named(normalise(text))


def _quantity(raw: str, options: _Options) -> str | None:
    """The one option with the quantity that the text gives, where all options are quantities."""
    found = None if None in options.quantities else quantity(raw)
    if found is None:
        return None
    fitting = [
        letter
        for letter, option in zip(options.letters, options.quantities, strict=True)
        if option and option[0] == found[0] and (option[1] == found[1] or not option[1] or not found[1])
    ]
    return fitting[0] if len(fitting) == 1 else None


def normalise_words(text: str) -> str:
    """Normalise running text in which options are looked for; clauses stay apart."""
    return " | ".join(normalise(clause) for clause in re.split(r"[.,;:!?\n](?!\w)", text))


def _only(letters: set[str]) -> str | None:
    return next(iter(letters)) if len(letters) == 1 and _CONFLICT not in letters else None


_CONFLICT = "?"


def _declared(text: str, options: _Options) -> set[str]:
    final = list(_FINAL.finditer(text))
    return _labels(text[final[-1].start() :] if final else text, _DECLARED, options)


def _declared_text(text: str, options: _Options) -> set[str]:
    declarations = list(_DECLARED_TEXT.finditer(text))
    return options.mentioned(text[declarations[-1].end() :]) if declarations else set()


def _labels(text: str, patterns: Iterable[re.Pattern[str]], options: _Options) -> set[str]:
    """Letters that the patterns find; a conflict where one stands beside another or another option."""
    found: set[str] = set()
    for pattern in patterns:
        for match in pattern.finditer(text):
            letter = match[1].upper()
            if letter not in options.letters or _is_article(text, match):
                continue
            found.add(letter if _agrees(text, match, letter, options) else _CONFLICT)
    return found


def _is_article(text: str, match: re.Match[str]) -> bool:
    # "the answer is a lamp" and "I choose A lamp" name no letter.
    bare = match[1] in "aA" and text[match.start(1) - 1 : match.start(1)] not in ("(", "[", "{")
    follows = re.compile(r" (?!(?:is|because|since|as|seems|must)\b)\w").match(text, match.end(1))
    return bool(bare and follows)


def _agrees(text: str, match: re.Match[str], letter: str, options: _Options) -> bool:
    joined = _JOINED.match(text, match.end())
    if joined and joined[1].upper() in options.letters and joined[1].upper() != letter:
        return _is_article(text, joined)
    beside = text[match.end() : match.end() + 200].lstrip(" .):,-\u2013\u2014")
    clause = normalise(re.split(r"[.,;:!?\n](?!\w)", beside, maxsplit=1)[0])
    return not clause or clause not in options.texts or options.texts[options.letters.index(letter)] == clause


def _label_before_text(text: str, options: _Options) -> set[str]:
    """`B bookcase` as the whole text; `A bookcase` is an article and was read before."""
    match = re.compile(r"([B-Z]) ([^\n]+)").fullmatch(text)
    if not match or match[1] not in options.letters:
        return set()
    named = options.named(normalise(match[2]))
    if named is None:
        return set()
    return {match[1] if named == match[1] else _CONFLICT}


def _affirmed(text: str, options: _Options) -> str:
    """`text` without the clauses that deny something, unless denial is what an option says."""
    if options.have_denial:
        return text
    pieces = []
    for piece in _CLAUSE.split(text):
        denial = _NEGATION.search(piece)
        if not _NEGATED_CLAUSE.search(piece):
            pieces.append(piece[: denial.start()] if denial else piece)
    return "".join(pieces)
