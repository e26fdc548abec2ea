"""Tiny data sets of questions that ask for knowledge, with exactly the columns and types of those on the hub.

The columns are those of the data sets' cards (`dataset_info`).
"""

from __future__ import annotations

from collections.abc import Callable

from datasets import List, Value
from hub_table import FLOAT, PICTURE, TEXT, WHOLE, Table, shown


def _science_qa() -> list[Table]:
    texts = ("task", "grade", "subject", "topic", "category", "skill", "lecture", "solution")
    features = {
        "image": PICTURE,
        "question": TEXT,
        "choices": List(TEXT),
        "answer": Value("int8"),
        "hint": TEXT,
        **dict.fromkeys(texts, TEXT),
    }
    rows = [
        {
            **dict.fromkeys(texts, "x"),
            "grade": "grade4",
            "image": shown(number) if number != 1 else None,
            "question": f"Which, {number}?",
            "choices": [f"choice {index}" for index in range(2 + number)],
            "answer": number,
            "hint": "Read this." if number else "",
        }
        for number in range(4)
    ]
    return [Table(features=features, rows=rows)]


def _mmmu() -> list[Table]:
    pictures = [f"image_{index}" for index in range(1, 8)]
    texts = ("explanation", "img_type", "topic_difficulty", "subfield")
    features = {
        **dict.fromkeys(("id", "question", "options", "explanation"), TEXT),
        **dict.fromkeys(pictures, PICTURE),
        **dict.fromkeys(("img_type", "answer", "topic_difficulty", "question_type", "subfield"), TEXT),
    }
    kinds = (
        ("multiple-choice", "['an owl\\'s', \"a cat's\", '<image 2> 3']", "B"),
        ("multiple-choice", "['$1', '$2', '$3', '$4', '$5']", "E"),
        ("open", "[]", "['24/7', 'always']"),
        ("open", "[]", "4.5"),
    )
    rows = [
        {
            **dict.fromkeys((*texts, *pictures)),
            "id": f"validation_Art_Theory_{number}",
            "question": f"<image 1> What, {number}?",
            "options": options,
            "answer": answer,
            "question_type": kind,
            "image_1": shown(number),
            "image_2": shown(50) if number == 0 else None,
        }
        for number, (kind, options, answer) in enumerate(kinds)
    ]
    return [Table(features=features, rows=rows)]


def _math_vista() -> list[Table]:
    texts = ("unit", "answer", "question_type", "answer_type")
    meta = (
        *("category", "context", "grade", "img_height", "img_width", "language"),
        *("skills", "source", "split", "task"),
    )
    features = {
        **dict.fromkeys(("pid", "question", "image"), TEXT),
        "decoded_image": PICTURE,
        "choices": List(TEXT),
        "unit": TEXT,
        "precision": FLOAT,
        **dict.fromkeys(texts[1:], TEXT),
        "metadata": {
            name: List(TEXT) if name == "skills" else WHOLE if name.startswith("img_") else TEXT
            for name in meta
        },
        "query": TEXT,
    }
    kinds = (
        ("multi_choice", ["12", "13", "14"], "13", "text"),
        ("free_form", None, "1.2", "float"),
        ("free_form", None, "14", "integer"),
        ("multi_choice", ["Yes", "No"], "No", "text"),
    )
    rows = [
        {
            **dict.fromkeys(features),
            "pid": str(number + 1),
            "question": "How many?",
            "image": f"images/{number + 1}.jpg",
            "decoded_image": shown(number),
            "choices": choices,
            "answer": answer,
            "question_type": kind,
            "answer_type": answer_type,
            "precision": 1.0 if answer_type == "float" else None,
            "metadata": {
                **dict.fromkeys(meta, "x"),
                "skills": ["x"],
                "img_height": 8,
                "img_width": 12,
                "category": "general-vqa",
            },
            "query": f"Hint: Please answer the question.\nQuestion: How many, {number}?",
        }
        for number, (kind, choices, answer, answer_type) in enumerate(kinds)
    ]
    return [Table(features=features, rows=rows)]


def _ai2d() -> list[Table]:
    features = {"question": TEXT, "options": List(TEXT), "answer": TEXT, "image": PICTURE}
    rows = [
        {
            "question": f"Which is shown, {number}?",
            "options": ["D", "C", "B", "A"] if number == 0 else ["sun", "moon", "earth", "mars"],
            "answer": str(number),
            "image": shown(number // 2),
        }
        for number in range(4)
    ]
    return [Table(features=features, rows=rows)]


TABLES: dict[str, Callable[[], list[Table]]] = {
    "sqa_i": _science_qa,
    "mmmu_v": _mmmu,
    "mathvista_m": _math_vista,
    "ai2d": _ai2d,
}
