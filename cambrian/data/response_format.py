"""Sentences at the end of a question that say which form of answer it wants, against the "answer machine".

A model that is tuned on many short answers gives short answers to everything. The paper's remedy (its section
on the answer machine phenomenon and the table of response formatting prompts in its appendix) is to say with
each short question that a short answer is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

SENTENCES: Mapping[int, str] = {
    1: "Answer the question using a single word or phrase.",
    2: "Answer the question using a single number or phrase.",
    3: "Answer with the option's letter from the given choices directly.",
    4: "Give the short answer directly.",
    6: "When the provided information is insufficient, respond with <no answer>.",
    7: "Directly provide the HTML code.",
    8: "First show your reasoning process and then give the final answer.",
    9: "When the provided information is insufficient, respond with 'Unanswerable'. "
    "Answer the question using a single word or phrase.",
    10: "Answer with the letter.",
}
"""Numbers of the paper's table -> sentences. Its fifth is its first again."""
OF_LETTERS = (SENTENCES[3], SENTENCES[10])
"""They want an option's letter; of a source with others besides, only such answers get them."""

_LETTER = re.compile(r"\(?[A-Z]\)?[.:]?")


def ask_for_format(question: str, answer: str, sentences: Sequence[str]) -> str:
    """Give `question` with those of its source's `sentences` that suit `answer`, on a line of their own.

    A question that ends with one of the table's sentences already stays as it is.
    """
    text = question.rstrip()
    if not sentences or any(text.endswith(known) for known in SENTENCES.values()):
        return question
    is_letter = _LETTER.fullmatch(answer.strip()) is not None
    suited = [sentence for sentence in sentences if (sentence in OF_LETTERS) == is_letter]
    return "\n".join(part for part in (text, " ".join(suited or sentences)) if part)
