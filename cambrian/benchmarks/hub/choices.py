"""From one record of a data set of the hub to a multiple-choice question: one small function per schema.

An adapter is given the record without its pictures, as plain Python values, and its number in the split. It
gives None for what is not part of the benchmark. What it does not find raises KeyError, what makes no sense
ValueError; who calls it says where. `Question.image` is the data set's own name of the picture, or empty
where it has none: then pictures are told apart by their content. The schemas are those of the data sets'
cards and of the authors' evaluation of Cambrian-1.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from cambrian.benchmarks.hub.prompts import (
    LETTER,
    LETTERS,
    ONLY_LETTER,
    REASON,
    WORD,
    lettered,
    listed_options,
)
from cambrian.benchmarks.hub.source import Adapter, Record, is_said
from cambrian.benchmarks.records import Question

_TAG = re.compile(r"<image \d+>")
"""Where MMMU's text speaks of a picture."""
CIRCLE = 1_000_000
"""MMBench numbers the rotations of one question by adding multiples of this to its index."""


def mmbench(suffix: str) -> Adapter:
    """Options in columns A to D, absent ones `nan`; all rotations of the options are records."""

    def adapt(record: Record, number: int) -> Question:
        options = tuple(record[letter] for letter in LETTERS[:4] if is_said(record[letter]))
        hint = f"{record['hint']}\n" if is_said(record["hint"]) else ""
        return Question(
            id=str(record["index"]),
            image="",
            prompt=f"{hint}{record['question']} Options:\n{lettered(options)}\n{suffix}",
            answer=_letter(record["answer"], options),
            options=options,
            group=str(int(record["index"]) % CIRCLE),
            part=record["category"],
        )

    return adapt


def seed_image(record: Record, number: int) -> Question | None:
    """Options in columns choice_a to choice_d; records about films are another benchmark."""
    if record["data_type"] != "image":
        return None
    options = tuple(str(record[f"choice_{letter}"]) for letter in "abcd")
    return Question(
        id=str(record["question_id"]),
        image=str(record["data_id"]),
        prompt=f"{record['question']} Options:\n{lettered(options)}\n{LETTER}",
        answer=_letter(record["answer"], options),
        options=options,
        part=str(record["question_type_id"]),
    )


def science_qa(record: Record, number: int) -> Question:
    """A list of two to five choices and the number of the right one."""
    options = tuple(record["choices"])
    hint = f"{record['hint']} " if is_said(record["hint"]) else ""
    return Question(
        id=str(number),
        image="",
        prompt=f"{hint}{record['question']}\n{lettered(options)}\n{ONLY_LETTER}",
        answer=_nth(record["answer"], options),
        options=options,
        part=record["grade"],
    )


def mmmu(record: Record, number: int) -> Question:
    """Options as the text of a Python list; open questions have several right answers, or one.

    The authors show the first picture alone and take the tags that stand for pictures out of the text.
    """
    options: tuple[str, ...] = ()
    given = record["answer"]
    accepted = tuple(map(str, _literal_list(given))) if str(given).startswith("[") else (str(given),)
    text, suffix = record["question"], WORD
    if record["question_type"] == "multiple-choice":
        options = tuple(_TAG.sub("", str(option)).strip() for option in _literal_list(record["options"]))
        text, suffix = f"{text} Options:\n{lettered(options)}", LETTER
        accepted = (_letter(str(given), options),)
    return Question(
        id=record["id"],
        image="",
        prompt=_TAG.sub("", f"{text}\n{suffix}").strip(),
        answer=accepted[0],
        options=options,
        answers=accepted if len(accepted) > 1 else (),
        part=re.sub(r"^[^_]*_|_\d+$", "", record["id"]),
    )


def math_vista(record: Record, number: int) -> Question:
    """The query lists choices and says how to answer; the answer of a choice is its text."""
    options = tuple(map(str, record["choices"] or ())) if record["question_type"] == "multi_choice" else ()
    answer = str(record["answer"])
    return Question(
        id=str(record["pid"]),
        image="",
        prompt=f"{record['query']}\n{REASON if options else WORD}",
        answer=LETTERS[options.index(answer)] if options else answer,
        options=options,
        part=record["metadata"]["category"],
    )


def ai2d(record: Record, number: int) -> Question:
    """A list of four options and the number of the right one, as text."""
    options = tuple(record["options"])
    return Question(
        id=str(number),
        image="",
        prompt=f"{record['question']}\n{lettered(options)}\n{LETTER}",
        answer=_nth(record["answer"], options),
        options=options,
    )


def mmvp(record: Record, number: int) -> Question:
    """Two options in one text; questions 1 and 2, 3 and 4, ... are pairs.

    Two spellings of the first column have been published.
    """
    index = int(record["Index"] if "Index" in record else record["lndex"])
    options = tuple(part.strip() for part in re.split(r"\([ab]\)", record["Options"])[1:])
    return Question(
        id=str(index),
        image=str(index),
        prompt=f"{record['Question']} Options:\n{lettered(options)}\n{LETTER}",
        answer=_letter(record["Correct Answer"], options),
        options=options,
        group=str((index + 1) // 2),
    )


def real_world_qa(record: Record, number: int) -> Question:
    """The question says how to answer, and lists options or none."""
    options = listed_options(record["question"])
    answer = record["answer"]
    return Question(
        id=str(number),
        image="",
        prompt=record["question"],
        answer=_letter(answer, options) if options else answer,
        options=options,
    )


def cv_bench(kind: str) -> Adapter:
    """The questions of type `kind`, 2D or 3D; the prompt lists the choices."""

    def adapt(record: Record, number: int) -> Question | None:
        if record["type"] != kind:
            return None
        options = tuple(map(str, record["choices"]))
        return Question(
            id=str(record["idx"]),
            image=record["filename"],
            prompt=f"{record['prompt']}\n{LETTER}",
            answer=_letter(record["answer"], options),
            options=options,
            part=record["source"],
        )

    return adapt


def mm_star(record: Record, number: int) -> Question:
    """The question lists its options on one line."""
    options = listed_options(record["question"].rpartition("Options:")[2], inline=True)
    options = options or tuple(LETTERS[:4])
    return Question(
        id=str(record["index"]),
        image="",
        prompt=f"{record['question']}\n{ONLY_LETTER}",
        answer=_letter(record["answer"], options),
        options=options,
        part=record["category"],
    )


def v_star(record: Record, number: int) -> Question:
    """The text lists its options and says how to answer."""
    options = listed_options(record["text"])
    return Question(
        id=f"{record['category']} {record['question_id']}",
        image=record["image"],
        prompt=record["text"],
        answer=_letter(record["label"], options),
        options=options,
        part=record["category"],
    )


def q_bench(record: Record, number: int) -> Question:
    """A list of candidates and the text of the right one."""
    options = tuple(record["candidates"])
    return Question(
        id=str(number),
        image=record["img_path"],
        prompt=f"{record['question']} Options:\n{lettered(options)}\n{ONLY_LETTER}",
        answer=LETTERS[options.index(record["correct_ans"])],
        options=options,
        part=str(record["type"]),
    )


def blink(record: Record, number: int) -> Question:
    """The prompt lists the choices."""
    options = tuple(record["choices"])
    return Question(
        id=record["idx"],
        image="",
        prompt=f"{record['prompt']}\n{ONLY_LETTER}",
        answer=_letter(record["answer"], options),
        options=options,
        part=record["sub_task"],
    )


def _letter(given: str | None, options: Sequence[str]) -> str:
    """Read `A` or `(a)`, which must name an option; nothing stays nothing."""
    if not given:
        return ""
    letter = given.strip(" ().").upper()
    if len(letter) != 1 or letter not in LETTERS[: len(options)]:
        raise ValueError(f"the answer {given!r} to {len(options)} options")
    return letter


def _nth(given: str | int, options: Sequence[str]) -> str:
    if not 0 <= int(given) < len(options):
        raise ValueError(f"the answer {given!r}, counted from 0, to {len(options)} options")
    return LETTERS[int(given)]


def _literal_list(given: object) -> list[Any]:
    value = ast.literal_eval(given) if isinstance(given, str) else given
    if not isinstance(value, list):
        raise ValueError(f"{given!r} is no list")
    return value
