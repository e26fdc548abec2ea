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

from cambrian.benchmarks.text import normalise, normalise_options, plain, refuses

_CLOSE = r"[)\]}]?"
_BARE = r"[(\[{]?([A-Za-z])(?![\w'-])" + _CLOSE
_END = r"(?=[.,;:!\n)]|$)"

_WHOLE = re.compile(rf"[^\w]*(?:(?:option|choice|answer|letter)\b[ :]{{0,2}})?{_BARE}[^\w]*", re.IGNORECASE)
_DECLARED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:answer|choose|pick|select|go with|correct (?:one|option|choice|letter))\b"
        r"(?: (?:is|would be|should be|must be|the|option|choice|letter)\b){0,4}[ :=>\n-]{0,4}"
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
    re.compile(r"^([A-Z])(?= (?:is|because|since|as|seems|looks)\b)", re.MULTILINE),
    re.compile(rf"\b(?:[Oo]ption|[Cc]hoice|[Ll]etter) {_BARE}"),
    re.compile(rf"(?:\b(?i:is|be|say|think|believe|guess|so|thus|hence|it's|but)|[,:=-]) ([A-Za-z]){_END}"),
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


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Letters and normalised texts of a question's options."""

    texts: tuple[str, ...]

    @property
    def letters(self) -> str:
        return string.ascii_uppercase[: len(self.texts)]

    def named(self, text: str) -> str | None:
        """Letter of the one option whose text is exactly `text` (normalised)."""
        return self.letters[self.texts.index(text)] if text and self.texts.count(text) == 1 else None

    def mentioned(self, text: str) -> set[str]:
        """Letters of the options whose texts occur in `text`; of overlapping ones the longest."""
        names = sorted((name for name in set(self.texts) if name), key=len, reverse=True)
        if not names:
            return set()
        pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)")
        found = set(pattern.findall(normalise_words(text)))
        return {letter for letter, name in zip(self.letters, self.texts, strict=True) if name in found}


def parse_choice(raw: str, options: Sequence[str]) -> str | None:
    """Read which option `raw` chooses: its upper-case letter, or None."""
    assert 0 < len(options) <= len(string.ascii_uppercase), f"{len(options)} options"
    text = plain(_unboxed(raw))
    known = _Options(texts=normalise_options(tuple(map(plain, options))))
    whole = _WHOLE.fullmatch(text)
    if whole and whole[1].upper() in known.letters:
        return whole[1].upper()
    named = known.named(normalise(text))
    if named:
        return named
    affirmed = _affirmed(text, known)
    for evidence in (_declared(affirmed, known), _declared_text(affirmed, known)):
        if evidence:
            return _only(evidence)
    if refuses(text) and not any(refuses(option) for option in options):
        return None
    marked = _labels(affirmed, _MARKED, known) | _label_before_text(affirmed, known)
    return _only(marked or known.mentioned(affirmed.rpartition(" but ")[2]))


def normalise_words(text: str) -> str:
    """Normalise running text in which options are looked for; clauses stay apart."""
    return " | ".join(normalise(clause) for clause in re.split(r"[.,;:!?\n](?!\w)", text))


def _unboxed(raw: str) -> str:
    # Some models wrap the final answer in a tag or in LaTeX's box.
    bare = re.sub(r"\\text\{([^{}]{1,100})\}", r"\1", raw)
    bare = re.sub(r"\\boxed\{([^{}]{1,100})\}", r"answer: \1 ", bare)
    return re.sub(r"<answer>", "answer: ", bare, flags=re.IGNORECASE).replace("</answer>", " ")


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
    option_words = " | ".join(options.texts)
    if _NEGATION.search(option_words) or _NEGATED_CLAUSE.search(option_words):
        return text
    pieces = []
    for piece in _CLAUSE.split(text):
        denial = _NEGATION.search(piece)
        if not _NEGATED_CLAUSE.search(piece):
            pieces.append(piece[: denial.start()] if denial else piece)
    return "".join(pieces)
