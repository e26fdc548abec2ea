"""The doctor finds what was planted, and nothing else."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cambrian.data import doctor
from cambrian.data.doctor import Wishes, examine
from cambrian.data.image_hashes import are_copies, hash_image
from cambrian.data.left_out import list_of
from cambrian.data.lengths import Tokens
from cambrian.data.survey import survey
from cambrian.errors import DataError
from tests.data.planted import CONTEXT, Plan, Planted, paint, plant, write_tokenizer

SMALL = Plan(
    rows=400,
    missing=14,
    truncated=6,
    gifs=4,
    texts=16,
    repeated=10,
    copies=12,
    broken=10,
    twice=5,
    long=7,
    silent=3,
)
LARGE = Plan(
    rows=10_000,
    missing=355,
    truncated=40,
    gifs=12,
    texts=408,
    repeated=100,
    copies=20,
    broken=100,
    twice=50,
    long=30,
    silent=15,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return plant(tmp_path / "data", SMALL)


def check(planted: Planted, plan: Plan) -> None:
    """All that was planted is found, row by row, and nothing else."""
    tokenizer = write_tokenizer(planted.file.parent / "llm")
    tokens = Tokens(tokenizer=tokenizer, template="lab", context=CONTEXT)
    found = examine(planted.file, Wishes(against=planted.tests, tokens=tokens))
    report, rows = found.report, planted.rows
    too_long = {one["row"]: one["left_out"] for one in report["too_long"]}
    assert too_long == {
        **dict.fromkeys(rows["long"], ""),
        **dict.fromkeys(rows["silent"], "has no supervised token among its first 700"),
    }
    by_reason: dict[str, set[int]] = {}
    for fault in report["faults"]:
        reason = fault["kind"]
        kind = (
            "missing"
            if reason.startswith("its image")
            else "truncated"
            if reason.startswith("the image cannot be decoded")
            else "twice"
            if reason.startswith("the same as")
            else "cut"
            if reason.startswith("not JSON")
            else "broken"
        )
        by_reason.setdefault(kind, set()).add(fault["row"])
    assert by_reason == {kind: rows[kind] for kind in ("missing", "truncated", "twice", "broken", "cut")}
    assert {int(Path(name).stem) for name in report["misnamed"]} == rows["gifs"]
    assert set(report["misnamed"].values()) == {"GIF"}
    assert report["shares"]["text_only"] == plan.texts
    leaks = report["overlap"]["images"]
    assert {int(Path(leak["image"]).stem) for leak in leaks} == rows["copies"]
    assert all(leak["wanted"] == f"copy{Path(leak['image']).stem}.jpg" for leak in leaks)
    assert set(found.left_out) == rows["truncated"] | rows["copies"]
    assert report["rows"] == plan.rows
    wrong = plan.missing + plan.truncated + plan.twice + plan.broken + 1
    assert report["usable"] == plan.rows - wrong
    both = examine(planted.file, Wishes(against=planted.first_stage)).report["overlap"]
    assert {shared["row"] for shared in both["rows"]} == rows["repeated"]
    assert (both["images"], both["same_images"]) == ([], plan.repeated)


def test_all_that_was_planted_is_found_and_nothing_else(planted: Planted) -> None:
    check(planted, SMALL)


@pytest.mark.slow
def test_all_is_found_among_ten_thousand_rows(tmp_path: Path) -> None:
    check(plant(tmp_path / "data", LARGE), LARGE)


def test_training_follows_the_list_that_the_doctor_writes(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = survey(planted.file)[1]
    sheet = planted.file.parent / "sheet.png"
    words = [str(planted.file), "--against", str(planted.tests), "--write", "--json", "--sheet", str(sheet)]
    monkeypatch.setattr(sys, "argv", ["doctor", *words])
    with pytest.raises(SystemExit) as left:
        doctor.main()
    assert left.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert said["left_out"] == str(list_of(planted.file))
    assert said["contact_sheet"] == str(sheet)
    assert Image.open(sheet).width == 4 * (2 * 160 + 12)
    after = survey(planted.file)[1]
    gone = set(before.kept.tolist()) - set(after.kept.tolist())
    assert gone == planted.rows["truncated"] | planted.rows["copies"]
    planted.file.write_text(planted.file.read_text().replace("What is", "Which is"))
    with pytest.raises(DataError, match=r"data.left_out.json is about another content of data.jsonl"):
        survey(planted.file)
    list_of(planted.file).write_text("[]")
    with pytest.raises(DataError, match="is not what the doctor writes"):
        survey(planted.file)


def test_the_report_for_people_names_lines(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["doctor", str(planted.file), "--against", str(planted.first_stage)])
    with pytest.raises(SystemExit):
        doctor.main()
    said = capsys.readouterr().out
    first = min(planted.rows["missing"])
    assert f"14 its image is not in the folder, first: line {first + 1} (images/{first}.jpg)" in said
    assert "10 rows in both, 10 files of images in both, 0 images are copies" in said
    assert "4 images are of another type than named" in said


def write(path: Path, answers: list[str]) -> Path:
    rows = [
        {"id": str(n), "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": answer}]}
        for n, answer in enumerate(answers)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_clean_file_is_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "data.jsonl", ["one two three four", "five"])
    monkeypatch.setattr(sys, "argv", ["doctor", str(file)])
    with pytest.raises(SystemExit) as left:
        doctor.main()
    assert left.value.code == 0
    assert "2 rows, 2 can be used" in capsys.readouterr().out
    report = examine(file, Wishes()).report
    assert report["lengths"] == {"questions": [1, 1, 1, 1, 1], "answers": [1, 1, 4, 4, 4]}
    assert report["shares"]["short_answers"] == 0.5


def test_rows_beyond_the_context_are_named_with_what_becomes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """<s> <user> Q <assistant> ... </s> are five tokens and the answer's words."""
    llm = write_tokenizer(tmp_path / "llm")
    file = write(tmp_path / "data.jsonl", ["word " * 10, "word " * 5, "short"])
    file.write_text(file.read_text().replace('"Q"', json.dumps("Q " * 9), 3).replace("Q " * 9, "Q", 2))
    tokens = Tokens(tokenizer=llm, template="lab", context=10)
    report = examine(file, Wishes(tokens=tokens)).report
    assert report["too_long"] == [
        {"row": 0, "line": 1, "tokens": 15, "left_out": ""},
        {"row": 2, "line": 3, "tokens": 14, "left_out": "has no supervised token among its first 10"},
    ]
    with pytest.raises(DataError, match="takes an LLM's directory"):
        examine(file, Wishes(tokens=replace(tokens, tokenizer=tmp_path / "none")))
    words = ["doctor", str(file), "--tokenizer", str(llm / "tokenizer.json"), "--context", "10"]
    for more, code in ((["--template", "lab"], 1), ([], 2)):
        monkeypatch.setattr(sys, "argv", [*words, *more])
        with pytest.raises(SystemExit) as left:
            doctor.main()
        assert left.value.code == code
    said = capsys.readouterr()
    assert "1 rows will be cut at the context, first: line 1 (15 tokens)" in said.out
    assert "left out: has no supervised token among its first 10, first: line 3 (14 tokens)" in said.out
    assert said.err.startswith("--tokenizer needs --template, one of chatml, ")


def test_rows_are_counted_with_their_image(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    said = [{"from": "human", "value": "Q\n<image>"}, {"from": "gpt", "value": "word word"}]
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"id": "a", "image": "a.png", "conversations": said}))
    llm = write_tokenizer(tmp_path / "llm")
    found = [
        examine(file, Wishes(tokens=Tokens(tokenizer=llm, template="lab", context=context))).report[
            "too_long"
        ]
        for context in (583, 582)
    ]
    assert found == [[], [{"row": 0, "line": 1, "tokens": 583, "left_out": ""}]]


def test_ids_in_several_rows_are_told_and_are_no_fault(tmp_path: Path) -> None:
    file = write(tmp_path / "data.jsonl", ["a", "b"])
    file.write_text(file.read_text().replace('"1"', '"0"'))
    found = examine(file, Wishes())
    assert found.report["repeated_ids"] == {"0": [0, 1]}
    assert found.is_clean


def test_a_directory_without_images_is_no_test_set(tmp_path: Path) -> None:
    file = write(tmp_path / "data.jsonl", ["a"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        examine(file, Wishes(against=tmp_path / "empty"))
    with pytest.raises(DataError, match="is a directory without rows"):
        examine(tmp_path / "empty", Wishes())


def test_images_that_show_nothing_are_never_copies() -> None:
    white, grey = (Image.new("RGB", (40, 40), (level,) * 3) for level in (255, 250))
    assert not are_copies(white, grey)
    assert not are_copies(white, white)


def test_hashes_survive_size_and_quality_and_tell_images_apart() -> None:
    rng = np.random.default_rng(3)
    images = [paint(rng, (100, 80)) for _ in range(40)]
    resized = [image.resize((170, 136)) for image in images]
    bits = np.array(
        [[int(np.bitwise_count(hash_image(a) ^ hash_image(b)).sum()) for b in resized] for a in images]
    )
    assert np.diag(bits).max() <= 6
    copies = np.array([[are_copies(a, b) for b in resized] for a in images])
    assert np.array_equal(copies, np.eye(40, dtype=bool))
