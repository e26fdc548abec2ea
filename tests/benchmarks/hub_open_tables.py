"""Tiny data sets of other questions, with exactly the columns and types of those on the hub.

The columns are those of the data sets' cards (`dataset_info`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from datasets import List, Value
from hub_table import FLAG, PICTURE, TEXT, WHOLE, Table, shown


def _mme() -> list[Table]:
    features = {
        **dict.fromkeys(("question_id",), TEXT),
        "image": PICTURE,
        **dict.fromkeys(("question", "answer", "category"), TEXT),
    }
    kinds = ("existence", "OCR", "code_reasoning")
    rows = [
        {
            "question_id": f"{kind}/{index}.png",
            "image": shown(index),
            "question": f"Is it {answer}? Please answer yes or no.",
            "answer": answer,
            "category": kind,
        }
        for index, kind in enumerate(kinds)
        for answer in ("Yes", "No")
    ]
    return [Table(features=features, rows=rows)]


def _gqa() -> list[Table]:
    notes = ("answer", "fullAnswer", "question")
    asked = {
        **dict.fromkeys(("id", "imageId", "question", "answer", "fullAnswer"), TEXT),
        "isBalanced": FLAG,
        "groups": {"global": TEXT, "local": TEXT},
        "entailed": TEXT,
        "equivalent": TEXT,
        "types": {"structural": TEXT, "semantic": TEXT, "detailed": TEXT},
        "annotations": {name: List({"objectId": TEXT, "value": TEXT}) for name in notes},
        "semantic": List({"operation": TEXT, "argument": TEXT, "dependencies": List(Value("int32"))}),
        "semanticStr": TEXT,
    }
    rows = [
        {
            **dict.fromkeys(("fullAnswer", "entailed", "equivalent", "semanticStr"), "x"),
            "id": f"20{number}",
            "imageId": f"n{number % 2}",
            "question": "What is it?",
            "answer": answer,
            "isBalanced": True,
            "groups": {"global": None, "local": "x"},
            "annotations": {name: [{"objectId": "1", "value": "x"}] for name in notes},
            "types": {"structural": "query", "semantic": "obj", "detailed": "x"},
            "semantic": [{"operation": "select", "argument": "x", "dependencies": [0]}],
        }
        for number, answer in enumerate(("yes", "tennis racket", "left"))
    ]
    pictures = [{"id": f"n{number}", "image": shown(number)} for number in range(2)]
    return [
        Table(features=asked, rows=rows, config="testdev_balanced_instructions"),
        Table(features={"id": TEXT, "image": PICTURE}, rows=pictures, config="testdev_balanced_images"),
    ]


def _chart_qa() -> list[Table]:
    features = {"type": TEXT, "question": TEXT, "answer": TEXT, "image": PICTURE}
    answers = (
        ("human_test", "14"),
        ("human_test", "Yes"),
        ("augmented_test", "23.5"),
        ("augmented_test", "Peru"),
    )
    rows = [
        {"type": kind, "question": "What?", "answer": answer, "image": shown(number)}
        for number, (kind, answer) in enumerate(answers)
    ]
    return [Table(features=features, rows=rows)]


def _ocr_bench() -> list[Table]:
    features = {
        "dataset": TEXT,
        "question": TEXT,
        "question_type": TEXT,
        "answer": List(TEXT),
        "image": PICTURE,
    }
    rows = [
        {
            "dataset": "IIIT5K",
            "question": "what is written in the image?",
            "question_type": "Regular Text Recognition",
            "answer": answers,
            "image": shown(number),
        }
        for number, answers in enumerate((["CENTRE"], ["$42.10", "42.10"]))
    ]
    return [Table(features=features, rows=rows)]


def _text_vqa() -> list[Table]:
    features = {
        "image_id": TEXT,
        "question_id": Value("int32"),
        "question": TEXT,
        "question_tokens": List(TEXT),
        "image": PICTURE,
        "image_width": Value("int32"),
        "image_height": Value("int32"),
        "flickr_original_url": TEXT,
        "flickr_300k_url": TEXT,
        "answers": List(TEXT),
        "image_classes": List(TEXT),
        "set_name": TEXT,
        "ocr_tokens": List(TEXT),
    }
    rows = [
        {
            **dict.fromkeys(features),
            "image_id": f"i{number // 2}",
            "question_id": 34602 + number,
            "question": "what does it say?",
            "image": shown(number // 2),
            "answers": [word] * 10,
            "ocr_tokens": ["stop", "12"] if number else [],
        }
        for number, word in enumerate(("stop", "12", "nokia"))
    ]
    return [Table(features=features, rows=rows)]


def _document(config: str, kinds: str) -> Callable[[], list[Table]]:
    def make() -> list[Table]:
        if config == "DocVQA":
            extra = {
                "docId": WHOLE,
                "ucsf_document_id": TEXT,
                "ucsf_document_page_no": TEXT,
                "data_split": TEXT,
            }
        else:
            extra = {"image_url": TEXT, "operation/reasoning": List(TEXT), "ocr": TEXT, "data_split": TEXT}
        features = {
            "questionId": TEXT,
            "question": TEXT,
            kinds: List(TEXT),
            "image": PICTURE,
            "answers": List(TEXT),
            **extra,
        }
        rows = [
            {
                **dict.fromkeys(extra),
                kinds: ["x"],
                "questionId": str(49153 + number),
                "question": "What is the date?",
                "image": shown(number),
                "answers": answers,
            }
            for number, answers in enumerate(
                (["May 5, 1999", "5 May 1999"], ["0.28"], ["university of california"])
            )
        ]
        return [Table(features=features, rows=rows, config=config)]

    return make


def _pope() -> list[Table]:
    texts = ("id", "question_id", "question", "answer", "image_source")
    features = {**dict.fromkeys(texts, TEXT), "image": PICTURE, "category": TEXT}
    rows = [
        {
            "id": str(3 * number + index),
            "question_id": str(number),
            "question": "Is there a snowboard in the image?",
            "answer": answer,
            "image_source": f"COCO_val2014_{number}",
            "image": shown(number),
            "category": category,
        }
        for index, category in enumerate(("adversarial", "popular", "random"))
        for number, answer in enumerate(("yes", "no"))
    ]
    return [Table(features=features, rows=rows)]


def _viz_wiz() -> list[Table]:
    features = {
        "question_id": TEXT,
        "image": PICTURE,
        "question": TEXT,
        "answers": List(TEXT),
        "category": TEXT,
    }
    rows = [
        {
            "question_id": f"VizWiz_val_{number:08d}",
            "image": shown(number),
            "question": "What is this?",
            "answers": [word] * 10,
            "category": "other",
        }
        for number, word in enumerate(("soda can", "unanswerable"))
    ]
    return [Table(features=features, rows=rows)]


def _synth_dog() -> list[Table]:
    features = {"image": PICTURE, "ground_truth": TEXT}
    rows = [
        {"image": shown(number), "ground_truth": json.dumps({"gt_parse": {"text_sequence": text}})}
        for number, text in enumerate(("the quick brown fox", "jumps over 12 dogs"))
    ]
    return [Table(features=features, rows=rows)]


def _without_answers(make: Callable[[], list[Table]]) -> Callable[[], list[Table]]:
    """As the test splits are published."""
    return lambda: [replace(one, rows=[{**row, "answers": None} for row in one.rows]) for one in make()]


def _scene_text() -> list[Table]:
    features = {"question_id": TEXT, "image": PICTURE, "question": TEXT}
    rows = [
        {"question_id": str(number), "image": shown(number // 2), "question": "What does it say?"}
        for number in range(3)
    ]
    return [Table(features=features, rows=rows)]


def _mm_vet() -> list[Table]:
    texts = ("question_id", "question", "answer", "image_source", "capability")
    features = {**dict.fromkeys(texts, TEXT), "image": PICTURE}
    answers = ("x=-1<AND>x=-5", "a cat<OR>a kitten", "It is raining, so that the match is off.")
    rows = [
        {
            "question_id": f"v1_{number}",
            "image": shown(number),
            "question": "What is it?",
            "answer": answer,
            "image_source": "x",
            "capability": "rec,know",
        }
        for number, answer in enumerate(answers)
    ]
    return [Table(features=features, rows=rows)]


TABLES: dict[str, Callable[[], list[Table]]] = {
    "mme_p": _mme,
    "gqa": _gqa,
    "chartqa": _chart_qa,
    "ocrbench": _ocr_bench,
    "textvqa": _text_vqa,
    "docvqa": _document("DocVQA", "question_types"),
    "pope": _pope,
    "vizwiz": _viz_wiz,
    "infovqa": _document("InfographicVQA", "answer_type"),
    "synthdog": _synth_dog,
    "stvqa": _scene_text,
    "docvqa_test": _without_answers(_document("DocVQA", "question_types")),
    "infovqa_test": _without_answers(_document("InfographicVQA", "answer_type")),
    "mmvet": _mm_vet,
}
