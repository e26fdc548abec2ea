"""From one record of a data set of the hub to a question with an open answer, or with yes or no.

Adapters are as in `choices`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from cambrian.benchmarks.hub.prompts import NUMBER, SHORT, TRANSCRIBE, UNANSWERABLE, WORD
from cambrian.benchmarks.hub.source import Record
from cambrian.benchmarks.records import Question

MME_PERCEPTION = (
    *("existence", "count", "position", "color", "posters"),
    *("celebrity", "scene", "landmark", "artwork", "OCR"),
)
"""Subtasks of MME that its perception score sums over (Fu et al. 2023, section 2.1)."""


def mme_perception(record: Record, number: int) -> Question | None:
    """Two yes-or-no questions about each picture, which share its id."""
    if record["category"] not in MME_PERCEPTION:
        return None
    picture = record["question_id"]
    mark = hashlib.sha256(record["question"].encode()).hexdigest()[:8]
    return Question(
        id=f"{picture} {mark}",
        image=picture,
        prompt=f"{record['question']}\n{WORD}",
        answer=record["answer"],
        options=(),
        group=picture,
        part=record["category"],
    )


def pope(record: Record, number: int) -> Question:
    """Yes or no; the three ways in which absent objects were chosen share pictures."""
    return Question(
        id=f"{record['category']} {record['question_id']}",
        image=record["image_source"],
        prompt=f"{record['question']}\n{WORD}",
        answer=record["answer"],
        options=(),
        part=record["category"],
    )


def gqa(record: Record, number: int) -> Question:
    """Pictures are in a configuration of their own."""
    return Question(
        id=str(record["id"]),
        image=str(record["imageId"]),
        prompt=f"{record['question']}\n{WORD}",
        answer=record["answer"],
        options=(),
    )


def chart_qa(record: Record, number: int) -> Question:
    """One answer; questions are by people or made from captions."""
    return _open(record["question"], NUMBER, [record["answer"]], id=str(number), part=record["type"])


def ocr_bench(record: Record, number: int) -> Question:
    """A list of answers, of which one is to be found in the reply."""
    return _open(record["question"], SHORT, record["answer"], id=str(number), part=record["question_type"])


def text_vqa(record: Record, number: int) -> Question:
    """Ten people's answers; the prompt holds what an OCR system read."""
    tokens = ", ".join(record["ocr_tokens"])
    read = f"{record['question']}\nReference OCR tokens:{f' {tokens}' if tokens else ''}"
    return _open(read, WORD, record["answers"], id=str(record["question_id"]), image=record["image_id"])


def document(record: Record, number: int) -> Question:
    """A list of accepted answers, about a page or an infographic."""
    return _open(record["question"], SHORT, record["answers"], id=str(record["questionId"]))


def infographic(record: Record, number: int) -> Question:
    """As `document`, with the authors' other request."""
    return _open(record["question"], WORD, record["answers"], id=str(record["questionId"]))


def scene_text(record: Record, number: int) -> Question:
    """A question about text in a scene, whose answers are not public."""
    return _open(record["question"], WORD, None, id=str(record["question_id"]))


def mm_vet(record: Record, number: int) -> Question:
    """A question that wants a longer answer; of several, any (`<OR>`) or all of them (`<AND>`) are right."""
    accepted = [one.strip().replace("<AND>", " and also ") for one in record["answer"].split("<OR>")]
    asked = _open(record["question"], "", accepted, id=record["question_id"], part=record["capability"])
    return replace(asked, prompt=record["question"])


def viz_wiz(record: Record, number: int) -> Question:
    """Ten people's answers, of which many are `unanswerable`."""
    suffix = f"{UNANSWERABLE}\n{WORD}"
    return _open(record["question"], suffix, record["answers"], id=record["question_id"])


def synth_dog(record: Record, number: int) -> Question:
    """A drawn page; its text is in a JSON object."""
    wanted = json.loads(record["ground_truth"])["gt_parse"]["text_sequence"]
    return Question(id=str(number), image="", prompt=TRANSCRIBE, answer=wanted, options=())


def _open(
    text: str, suffix: str, answers: Sequence[str | None] | None, *, id: str, image: str = "", part: str = ""
) -> Question:
    accepted = tuple(str(answer) for answer in answers or () if answer is not None) or ("",)
    return Question(
        id=id,
        image=image,
        prompt=f"{text}\n{suffix}",
        answer=accepted[0],
        options=(),
        answers=accepted if len(accepted) > 1 else (),
        part=part,
    )
