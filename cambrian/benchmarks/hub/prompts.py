"""What the authors of Cambrian-1 ask besides the question itself: facts of their evaluation.

A benchmark's prompt is part of its number: whoever changes one raises the row's version.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

WORD = "Answer the question using a single word or phrase."
NUMBER = "Answer the question using a single number or phrase."
SHORT = "Give the short answer directly."
LETTER = "Answer with the option's letter from the given choices directly."
ONLY_LETTER = "Please answer directly with only the letter of the correct option and nothing else."
LETTER_CN = "请直接回答选项字母。"
REASON = "First show your reasoning process and then give the final answer."
UNANSWERABLE = "When the provided information is insufficient, respond with 'Unanswerable'."
TRANSCRIBE = (
    "Please transcribe the text from the image word by word. Only include the words found in the image, "
    "and avoid adding any additional context or information."
)

LETTERS = string.ascii_uppercase


def lettered(options: Sequence[str]) -> str:
    """Write options one per line, as `A. first`."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))


def listed_options(text: str, *, inline: bool = False) -> tuple[str, ...]:
    """Find the options that a question lists itself: `A. cat`, `(A) cat` or `A: cat`.

    Each begins a line, or with `inline` may follow a comma; empty if there are not two of them.
    """
    found: list[tuple[int, int]] = []
    position = 0
    before = r"(?:^|\n|, ?|(?<=:) )" if inline else r"(?:^|\n)"
    for letter in LETTERS:
        label = re.compile(rf"{before}\s*(?:\({letter}\)|{letter}[.:)])\s").search(text, position)
        if label is None:
            break
        found.append((label.start(), label.end()))
        position = label.end()
    ends = [start for start, _ in found[1:]] + [len(text)]
    options = (text[start:end].strip() for (_, start), end in zip(found, ends, strict=True))
    return tuple(option.split("\n")[0].strip() for option in options) if len(found) > 1 else ()
