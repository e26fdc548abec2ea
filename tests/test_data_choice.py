"""Training data of one's own, and copies of the study's: found by name, known by content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cambrian import data_choice
from cambrian.config import Study, read_study
from cambrian.data.survey import describe
from cambrian.errors import ConfigError, UserError
from cambrian.local_weights import checksum
from cambrian.stages.base import Stage
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.session import run
from tests.real.parts import write_data

FILES = ("scale=paper", "adapter=files", "instruct=files")


def answer(module: str, request: str) -> str:
    """What the other process would say, said here, where numpy is loaded already."""
    assert module == "cambrian.data.survey"
    asked = json.loads(request)
    return json.dumps([describe(source, asked["download"]) for source in asked["sources"]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(data_choice, "ask", answer)
    data_choice._answer.cache_clear()
    write_data(tmp_path / "data", 6)
    return tmp_path / "data"


def study(*words: str) -> Study:
    return read_study(expand(list(words)))


def stages(*words: str) -> dict[str, Stage]:
    """The stages of training, by kind."""
    lineage = Lineage()
    lineage.run(study(*words).recipes[0])
    return {stage.kind: stage for stage in lineage.stages.values() if stage.kind in ("align", "tune")}


def data_of(stage: Stage) -> dict[str, Any]:
    return dict(stage.recipe["data"])


def test_own_files_are_known_by_what_they_hold(folder: Path, tmp_path: Path) -> None:
    made = stages(*FILES, f"data={folder}")
    captions = folder / "captions.jsonl"
    assert data_of(made["align"]) == {
        "kind": "caption",
        "examples": 6,
        "content": checksum(captions),
        "left_out": "",
        "context": 2048,
    }
    assert data_of(made["tune"])["examples"] == 8
    assert study(*FILES, f"data={folder}").runtime.copies[checksum(captions)] == str(captions)
    shutil.copytree(folder, tmp_path / "moved")
    (tmp_path / "moved" / "captions.jsonl").rename(tmp_path / "moved" / "others.jsonl")
    moved = stages(*FILES, f"data={tmp_path / 'moved'}", "adapter.source=others")
    assert (moved["align"].digest, moved["tune"].digest) == (made["align"].digest, made["tune"].digest)
    assert moved["align"].axes["adapter"] == "others"
    captions.write_text(captions.read_text().replace("red", "rot"))
    data_choice._answer.cache_clear()
    assert stages(*FILES, f"data={folder}")["align"].digest != made["align"].digest


def test_a_copy_of_a_data_set_of_the_study_is_found_by_its_name(folder: Path) -> None:
    (folder / "captions.jsonl").rename(folder / "llava_558k.jsonl")
    with_copy = stages("scale=paper", "adapter=0.5M", f"data={folder}")
    without = stages("scale=paper", "adapter=0.5M")
    assert data_of(with_copy["align"])["examples"] == 6
    assert "source" not in data_of(with_copy["align"])
    assert data_of(with_copy["tune"]) == data_of(without["tune"])
    assert data_of(without["align"])["source"] == "llava_558k"


def test_a_part_of_the_rows_is_asked_for_by_number(folder: Path) -> None:
    whole, part = (stages(*FILES, f"data={folder}", *more) for more in ((), ("instruct.examples=5",)))
    assert data_of(part["tune"])["examples"] == 5
    assert part["tune"].digest != whole["tune"].digest
    assert part["align"].digest == whole["align"].digest


def test_rows_that_are_left_out_are_counted_and_part_of_the_identity(folder: Path) -> None:
    whole = stages(*FILES, f"data={folder}")
    (folder / "pictures" / "4.png").unlink()
    data_choice._answer.cache_clear()
    shutil.rmtree(folder.parent / "cache")
    with pytest.raises(ConfigError) as refused:
        study(*FILES, f"data={folder}")
    assert len(refused.value.faults) == 2
    assert "more than 1.0% of the rows cannot be used: captions.jsonl: 6 rows, 1 left out" in str(
        refused.value
    )
    assert "line 5: its image is not in the folder: pictures/4.png" in str(refused.value)
    tolerant = stages(*FILES, f"data={folder}", "data_faults=0.2")
    assert data_of(tolerant["align"])["examples"] == 5
    assert data_of(tolerant["align"])["left_out"]
    assert tolerant["align"].digest != whole["align"].digest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (FILES, "adapter=files takes your own files: say where they are, data=DIRECTORY"),
        ((*FILES, "data=/nowhere"), "data=/nowhere is no directory"),
        ((*FILES, "data={}", "adapter.source=other"), "there is no {}/other.jsonl or .json; name another"),
        ((*FILES, "data={}", "data_faults=2"), "data_faults must be from 0 to 1, got 2"),
        (("adapter=files", "data={}"), "adapter 'files' does not exist at scale=lab"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        study(*(word.format(folder) for word in words))
    assert message.format(folder) in str(refused.value)


def test_nothing_starts_without_the_data(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        run(study("scale=paper", f"store={tmp_path}", "preflight=false"))
    message = str(refused.value)
    assert "the data set 'sharegpt4v_pt' is not on this machine" in message
    assert "the data set 'cambrian_737k' is not on this machine" in message
    assert not list(tmp_path.glob("*/*"))
