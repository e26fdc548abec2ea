"""A data set is judged once, and what a recipe means by a part of it is always the same rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cambrian.data import survey as surveying
from cambrian.data.survey import digest_of_faults, open_part, summarize, survey
from cambrian.errors import DataError
from cambrian.local_weights import checksum


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def inspections(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each inspection of a whole file."""
    counted: list[int] = []
    inspect = surveying.inspect
    monkeypatch.setattr(surveying, "inspect", lambda *given: (counted.append(1), inspect(*given))[1])
    return counted


def write(folder: Path, images: Sequence[str | None], name: str = "data.jsonl") -> Path:
    lines = []
    for index, image in enumerate(images):
        mark = "<image>\n" if image else ""
        said = [{"from": "human", "value": f"{mark}Q{index}"}, {"from": "gpt", "value": "A"}]
        row = {"id": str(index), "conversations": said}
        lines.append(json.dumps({**row, "image": image} if image else row))
    (folder / name).write_text("\n".join(lines))
    return folder / name


def picture(folder: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(folder / name)


def test_what_was_found_is_remembered_while_it_is_so(tmp_path: Path, inspections: list[int]) -> None:
    picture(tmp_path, "a.png")
    file = write(tmp_path, ["a.png", "b.png", None])
    first, again = survey(file)[1], survey(file)[1]
    assert len(inspections) == 1
    assert first.faults == again.faults
    assert first.kept.tolist() == again.kept.tolist() == [0, 2]
    assert [fault.line for fault in first.faults] == [2]
    picture(tmp_path, "b.png")
    assert survey(file)[1].faults == ()
    assert len(inspections) == 2
    file = write(tmp_path, ["a.png", "c.png", "d.png"])
    assert survey(file)[1].kept.tolist() == [0]
    assert len(inspections) == 3


def test_a_summary_counts_reasons_and_quotes_the_first(tmp_path: Path) -> None:
    file = write(tmp_path, [None, "x.png", "y.png", "../z.png", "v.png"])
    assert summarize(file, survey(file)[1]) == (
        "data.jsonl: 5 rows, 4 left out (3 its image is not in the folder; 1 its image leads out of the "
        "folder), first line 2: its image is not in the folder: x.png; line 3: its image is not in the "
        "folder: y.png; line 4: its image leads out of the folder: ../z.png"
    )
    whole = write(tmp_path, [None, None], "whole.jsonl")
    assert summarize(whole, survey(whole)[1]) == "whole.jsonl: 2 rows, all can be used"


def test_a_smaller_part_is_within_a_larger_one(tmp_path: Path) -> None:
    file = write(tmp_path, [None] * 50)
    parts = [open_part(file, content=checksum(file), left_out="", examples=count) for count in (5, 20, 50)]
    ids = [{part.conversation(index).id for index in range(len(part))} for part in parts]
    assert [len(each) for each in ids] == [5, 20, 50]
    assert ids[0] < ids[1] < ids[2]
    assert all((np.diff(part.kept) > 0).all() for part in parts)
    again = open_part(file, content=checksum(file), left_out="", examples=5)
    assert again.kept.tolist() == parts[0].kept.tolist()


def test_rows_that_cannot_be_used_are_no_part(tmp_path: Path) -> None:
    file = write(tmp_path, [None, "gone.png"] * 10)
    left_out = digest_of_faults(survey(file)[1])
    part = open_part(file, content=checksum(file), left_out=left_out, examples=10)
    assert part.kept.tolist() == list(range(0, 20, 2))


def test_what_has_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, [None, "a.png"])
    planned = {"content": checksum(file), "left_out": digest_of_faults(survey(file)[1]), "examples": 1}
    open_part(file, **planned)
    picture(tmp_path, "a.png")
    with pytest.raises(DataError, match="have changed since this was planned"):
        open_part(file, **planned)
    write(tmp_path, [None, None])
    with pytest.raises(DataError, match="have changed since this was planned"):
        open_part(file, **{**planned, "left_out": ""})
