"""Tiny data sets of multiple-choice questions, with exactly the columns and types of those on the hub.

The columns are those of the data sets' cards (`dataset_info`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from datasets import List, Value
from hub_table import FLOAT, PICTURE, TEXT, WHOLE, Table, shown


def _mmbench(columns: Mapping[str, Any]) -> Callable[[], list[Table]]:
    def make() -> list[Table]:
        base: dict[str, Any] = dict.fromkeys(columns, "x")
        rows = []
        for question, options in enumerate((("red", "blue", "green", "pink"), ("cat", "dog"))):
            for turn in range(len(options)):
                turned = options[turn:] + options[:turn]
                letters = dict(zip("ABCD", (*turned, "nan", "nan"), strict=False))
                rows.append(
                    {
                        **base,
                        **letters,
                        "index": question + 7 + turn * 1_000_000,
                        "question": f"Which, {question}?",
                        "hint": "A hint." if question else "nan",
                        "answer": "ABCD"[turned.index(options[0])],
                        "image": shown(question),
                    }
                )
        return [Table(features=columns, rows=rows)]

    return make


_MMBENCH = {
    "index": WHOLE,
    **dict.fromkeys(("question", "hint", "answer", "A", "B", "C", "D", "category"), TEXT),
    "image": PICTURE,
    **dict.fromkeys(("source", "l2-category", "comment", "split"), TEXT),
}
_MMBENCH_CN = {
    "index": WHOLE,
    **dict.fromkeys(("question", "hint", "answer", "A", "B", "C", "D", "category"), TEXT),
    "image": PICTURE,
    **dict.fromkeys(("source", "L2-category", "comment", "split"), TEXT),
}


def _seed() -> list[Table]:
    names = ("answer", "choice_a", "choice_b", "choice_c", "choice_d", "data_id", "data_type", "question")
    features = {
        **dict.fromkeys(names, TEXT),
        "question_id": TEXT,
        "question_type_id": Value("int16"),
        "image": List(PICTURE),
        "segment": List(Value("int64")),
    }
    rows = [
        {
            "answer": answer,
            **{f"choice_{letter}": f"thing {letter}" for letter in "abcd"},
            "data_id": f"{number // 2}",
            "data_type": kind,
            "question": "What is it?",
            "question_id": str(number),
            "question_type_id": number,
            "image": [shown(number)] * (1 if kind == "image" else 3),
            "segment": None,
        }
        for number, (answer, kind) in enumerate(
            (("A", "image"), ("C", "image"), ("D", "image"), ("B", "video"))
        )
    ]
    return [Table(features=features, rows=rows)]


def _real_world_qa() -> list[Table]:
    features = {"image": PICTURE, "question": TEXT, "answer": TEXT, "image_path": TEXT}
    word, letter = (
        "Please answer directly with a single word or number.",
        "Please answer directly with only the letter of the correct option and nothing else.",
    )
    asked = (
        (f"In which direction is it facing?\n\nA. Left.\nB. Straight.\nC. Right.\n{letter}", "C"),
        (f"How many lanes are there?\n{word}", "2"),
        (f"Is it moving?\n\nA. Yes\nB. No\n{letter}", "A"),
        (f"What is the speed limit?\n{word}", "40"),
    )
    rows = [
        {"image": shown(number), "question": question, "answer": answer, "image_path": f"{number}.webp"}
        for number, (question, answer) in enumerate(asked)
    ]
    return [Table(features=features, rows=rows)]


def _cv_bench() -> list[Table]:
    features = {
        "idx": WHOLE,
        "type": TEXT,
        "task": TEXT,
        "image": PICTURE,
        "question": TEXT,
        "choices": List(TEXT),
        **dict.fromkeys(
            ("answer", "prompt", "filename", "source", "source_dataset", "source_filename"), TEXT
        ),
        "target_class": TEXT,
        "target_size": WHOLE,
        "bbox": List(List(FLOAT)),
    }
    rows = [
        {
            **dict.fromkeys(features),
            "idx": number,
            "type": kind,
            "task": task,
            "image": shown(number),
            "question": "How many?",
            "choices": choices,
            "answer": "(B)",
            "prompt": "How many? Select from the following choices.\n(A) a\n(B) b",
            "filename": f"img/{kind}/{number}.png",
            "source": source,
        }
        for number, (kind, task, source, choices) in enumerate(
            (
                ("2D", "Count", "ADE20K", ["3", "2", "1", "0"]),
                ("2D", "Relation", "COCO", ["left", "right"]),
                ("3D", "Depth", "Omni3D", ["table", "lamp"]),
                ("3D", "Distance", "Omni3D", ["chair", "desk"]),
            )
        )
    ]
    return [Table(features=features, rows=rows)]


def _mm_star() -> list[Table]:
    features = {
        "index": WHOLE,
        "question": TEXT,
        "image": PICTURE,
        **dict.fromkeys(("answer", "category", "l2_category"), TEXT),
        "meta_info": {"source": TEXT, "split": TEXT, "image_path": TEXT},
    }
    rows = [
        {
            "index": number,
            "question": "Which?\nOptions: A: The suitcase, B: It is under the cat., C: Beside, D: None",
            "image": shown(number),
            "answer": answer,
            "category": "coarse perception",
            "l2_category": "x",
            "meta_info": {"source": "MMBench", "split": "val", "image_path": "x"},
        }
        for number, answer in enumerate("ACD")
    ]
    return [Table(features=features, rows=rows, config="val")]


def _blink() -> list[Table]:
    tasks = (
        *("Counting", "IQ_Test", "Object_Localization"),
        *("Relative_Depth", "Relative_Reflectance", "Spatial_Relation"),
    )
    features = {
        **dict.fromkeys(("idx", "sub_task", "question"), TEXT),
        **{f"image_{index}": PICTURE for index in range(1, 5)},
        "choices": List(TEXT),
        **dict.fromkeys(("answer", "prompt", "explanation"), TEXT),
    }
    return [
        Table(
            config=task,
            features=features,
            rows=[
                {
                    **dict.fromkeys(features),
                    "idx": f"val_{task}_1",
                    "sub_task": task,
                    "question": "Which?",
                    "image_1": shown(number),
                    "choices": ["yes", "no"] if number % 2 else ["1", "2", "3", "4"],
                    "answer": "(A)",
                    "prompt": "Which?\nSelect from the following choices.\n(A) ...",
                }
            ],
        )
        for number, task in enumerate(tasks)
    ]


TABLES: dict[str, Callable[[], list[Table]]] = {
    "mmb": _mmbench(_MMBENCH),
    "seed_i": _seed,
    "realworldqa": _real_world_qa,
    "cvbench_2d": _cv_bench,
    "cvbench_3d": _cv_bench,
    "mmb_cn": _mmbench(_MMBENCH_CN),
    "mmstar": _mm_star,
    "blink": _blink,
}
