"""Tiny data sets with exactly the columns and types of those on the hub, one for each row of the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import hub_choice_tables
import hub_knowledge_tables
import hub_open_tables
from hub_table import Table, png, write_repository

TABLES: dict[str, Callable[[], list[Table]]] = {
    **hub_choice_tables.TABLES,
    **hub_knowledge_tables.TABLES,
    **hub_open_tables.TABLES,
}


def write_mmvp(folder: Path) -> None:
    """A CSV file and numbered pictures."""
    (folder / "MMVP Images").mkdir(parents=True)
    lines = ["Index,Question,Options,Correct Answer"]
    for index in range(1, 5):
        answer = "(a)" if index % 2 else "(b)"
        lines.append(f'{index},"Are the wings, if any, open?",(a) Open (b) Closed,{answer}')
        (folder / "MMVP Images" / f"{index}.jpg").write_bytes(png(index))
    (folder / "Questions.csv").write_text("\n".join(lines) + "\n")


def write_v_star(folder: Path) -> None:
    """JSON lines and two folders of pictures."""
    lines = []
    for index, category in enumerate(("direct_attributes", "relative_position")):
        (folder / category).mkdir(parents=True)
        (folder / category / "sa_1.jpg").write_bytes(png(index))
        text = (
            "What is its colour?\n(A) The colour is white.\n(B) The colour is red.\n"
            "Answer with the option's letter from the given choices directly."
        )
        lines.append(
            {
                "image": f"{category}/sa_1.jpg",
                "text": text,
                "category": category,
                "label": "AB"[index],
                "question_id": "0",
            }
        )
    (folder / "test_questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_q_bench(folder: Path) -> None:
    """A JSON list and a folder of pictures, which are published as a tar file."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for index, candidates in enumerate((["Yes", "No"], ["Blur", "Noise", "None"])):
        (folder / "images" / f"0000{index}.jpg").write_bytes(png(index))
        rows.append(
            {
                "img_path": f"0000{index}.jpg",
                "question": "Is it sharp?",
                "candidates": candidates,
                "correct_ans": candidates[index],
                "type": 0,
                "concern": 1,
            }
        )
    (folder / "llvisionqa_dev.json").write_text(json.dumps(rows))


FILES: dict[str, Callable[[Path], None]] = {
    "mmvp": write_mmvp,
    "vstar": write_v_star,
    "qbench": write_q_bench,
}
"""Benchmarks that are files of their own."""


def write_benchmark(folder: Path, name: str, split: str) -> None:
    """Write the data of a benchmark as its repository has them."""
    if name in FILES:
        FILES[name](folder)
    else:
        write_repository(folder, TABLES[name](), split)
