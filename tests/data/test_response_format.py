"""Which sentence on the form of the answer a question ends with."""

from __future__ import annotations

import pytest

from cambrian.data.catalog import read_catalog
from cambrian.data.response_format import SENTENCES, ask_for_format

WORD, LETTER, BY_LETTER = SENTENCES[1], SENTENCES[3], SENTENCES[10]


@pytest.mark.parametrize(
    ("question", "answer", "sentences", "asked"),
    [
        ("What?", "red", (), "What?"),
        ("What?\n", "red", (WORD,), f"What?\n{WORD}"),
        (f"What?\n{LETTER}", "A", (WORD,), f"What?\n{LETTER}"),
        ("What?", "A", (WORD, LETTER), f"What?\n{LETTER}"),
        ("What?", "(b)", (WORD, LETTER), f"What?\n{WORD}"),
        ("What?", " (B). ", (WORD, BY_LETTER), f"What?\n{BY_LETTER}"),
        ("What?", "Apple", (WORD, LETTER), f"What?\n{WORD}"),
        ("What?", "Apple", (LETTER,), f"What?\n{LETTER}"),
        ("What?", "red", (SENTENCES[6], WORD), f"What?\n{SENTENCES[6]} {WORD}"),
        ("", "red", (WORD,), WORD),
    ],
)
def test_a_question_gets_what_suits_its_answer(
    question: str, answer: str, sentences: tuple[str, ...], asked: str
) -> None:
    assert ask_for_format(question, answer, sentences) == asked
    assert ask_for_format(asked, answer, sentences) == asked, "asking twice says it once"


def test_the_sources_of_the_papers_table_have_their_sentences() -> None:
    numbers = {text: number for number, text in SENTENCES.items()}
    found = {
        row.source: [numbers[text] for text in row.response_format]
        for row in read_catalog().values()
        if row.response_format
    }
    assert len(found) == 22
    assert found["ScreenQA"] == [6, 1]
    assert found["Q-Instruct"] == [1, 3]
    assert found["Design2Code"] == [7]
