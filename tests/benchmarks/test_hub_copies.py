"""The forms that a copy of a benchmark may have, and what is said of copies that are not right."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
from datasets import Dataset, Features
from hub_fixtures import TABLES, write_mmvp
from hub_table import png, write_repository

from cambrian.benchmarks.hub.material import HubMaterial, open_hub_material
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB
from cambrian.errors import DataError, UserError
from cambrian.runtime import Runtime


def opened(data: Path, name: str) -> HubMaterial:
    runtime = Runtime(store=data / "store", data=data)
    content = fingerprint(data / "benchmarks" / name)
    return open_hub_material(HUB[name], runtime, content=content, n=0, seed=0)


def _as_parquet(folder: Path, table: Dataset) -> None:
    table.to_parquet(folder / "test.parquet")


def _as_saved(folder: Path, table: Dataset) -> None:
    datasets.DatasetDict({"test": table}).save_to_disk(folder)


def _as_one_saved(folder: Path, table: Dataset) -> None:
    table.save_to_disk(folder)


def _as_json(folder: Path, table: Dataset) -> None:
    (folder / "pictures").mkdir()
    lines = []
    for number, record in enumerate(table.remove_columns("image")):
        (folder / "pictures" / f"{number}.png").write_bytes(png(number // 2))
        lines.append(json.dumps({**dict(record), "image": f"pictures/{number}.png"}) + "\n")
    (folder / "test.jsonl").write_text("".join(lines))


def _as_folder_of_pictures(folder: Path, table: Dataset) -> None:
    (folder / "test").mkdir()
    lines = []
    for number, record in enumerate(table.remove_columns("image")):
        (folder / "test" / f"{number}.png").write_bytes(png(number // 2))
        lines.append(json.dumps({**dict(record), "file_name": f"{number}.png"}) + "\n")
    (folder / "test" / "metadata.jsonl").write_text("".join(lines))


FORMS = (_as_parquet, _as_saved, _as_one_saved, _as_json, _as_folder_of_pictures)


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
def test_forms_of_a_copy(tmp_path: Path, write: object) -> None:
    assert callable(write)
    (table,) = TABLES["ai2d"]()
    folder = tmp_path / "benchmarks" / "ai2d"
    folder.mkdir(parents=True)
    write(folder, Dataset.from_list([dict(row) for row in table.rows], features=Features(table.features)))
    material = opened(tmp_path, "ai2d")
    assert [question.answer for question in material.questions] == ["A", "B", "C", "D"]
    names = [question.image for question in material.questions]
    assert names[0] == names[1] != names[2] == names[3]
    assert [material.content(name) for name in names] == [png(0), png(0), png(1), png(1)]


def test_pictures_that_are_files_may_be_in_the_table(tmp_path: Path) -> None:
    rows = [
        {
            "Index": index,
            "Question": "Open?",
            "Options": "(a) Open (b) Closed",
            "Correct Answer": "(a)",
            "image": {"bytes": png(index), "path": None},
        }
        for index in (1, 2)
    ]
    texts = dict.fromkeys(("Question", "Options", "Correct Answer"), datasets.Value("string"))
    features = Features({"Index": datasets.Value("int64"), **texts, "image": datasets.Image()})
    folder = tmp_path / "benchmarks" / "mmvp"
    folder.mkdir(parents=True)
    Dataset.from_list(rows, features=features).to_parquet(folder / "train.parquet")
    assert opened(tmp_path, "mmvp").content("2") == png(2)


def test_the_other_spelling_of_a_column(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "mmvp"
    write_mmvp(folder)
    table = folder / "Questions.csv"
    table.write_text(table.read_text().replace("Index,", "lndex,"))
    assert [question.group for question in opened(tmp_path, "mmvp").questions] == ["1", "1", "2", "2"]


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "ai2d"
    write_repository(folder, TABLES["ai2d"](), "train")
    with pytest.raises(DataError, match="has the splits train, not 'test'"):
        opened(tmp_path, "ai2d")
    (folder / "README.md").unlink()
    with pytest.raises(DataError, match="cannot be read as a data set"):
        opened(tmp_path, "ai2d")


def test_columns_that_are_not_there_and_answers_that_make_no_sense(tmp_path: Path) -> None:
    (table,) = TABLES["ai2d"]()
    rows = [dict(row) for row in table.rows]
    folder = tmp_path / "benchmarks" / "ai2d"
    folder.mkdir(parents=True)
    dataset = Dataset.from_list(rows, features=Features(table.features))
    dataset.rename_column("options", "choices").to_parquet(folder / "test.parquet")
    with pytest.raises(DataError, match="record 0: no column 'options'; it has question, choices, answer"):
        opened(tmp_path, "ai2d")
    rows[2]["answer"] = "4"
    dataset = Dataset.from_list(rows, features=Features(table.features))
    dataset.to_parquet(folder / "test.parquet")
    with pytest.raises(
        DataError, match="record 2 cannot be read: the answer '4', counted from 0, to 4 options"
    ):
        opened(tmp_path, "ai2d")


def test_a_split_without_answers(tmp_path: Path) -> None:
    (table,) = TABLES["docvqa"]()
    rows = [{**row, "answers": None} for row in table.rows]
    folder = tmp_path / "benchmarks" / "docvqa"
    folder.mkdir(parents=True)
    dataset = Dataset.from_list(rows, features=Features(table.features))
    dataset.to_parquet(folder / "validation.parquet")
    with pytest.raises(DataError, match="has no answer; is this a split whose answers are public"):
        opened(tmp_path, "docvqa")


def test_two_records_of_one_id(tmp_path: Path) -> None:
    (table,) = TABLES["textvqa"]()
    folder = tmp_path / "benchmarks" / "textvqa"
    folder.mkdir(parents=True)
    rows = [{**row, "question_id": 1} for row in table.rows]
    dataset = Dataset.from_list(rows, features=Features(table.features))
    dataset.to_parquet(folder / "validation.parquet")
    with pytest.raises(UserError, match="1 duplicate questions: 1"):
        opened(tmp_path, "textvqa")


def test_names_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (table,) = TABLES["ai2d"]()
    folder = tmp_path / "benchmarks" / "ai2d"
    folder.mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(png(7))
    rows = [
        {**row, "image": name}
        for row, name in zip(table.rows, ("../../secret.png", "/etc/passwd"), strict=False)
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    material = opened(tmp_path, "ai2d")
    shown = material.show([question.image for question in material.questions], ())
    assert sorted(reason.split(" out of")[0] for reason in shown.faults.values()) == ["leads", "leads"]
