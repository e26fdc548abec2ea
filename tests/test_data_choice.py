"""Training data of one's own, and copies of the study's: found by name, known by content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from parts import write_data

from cambrian import data_choice
from cambrian.config import Study, read_study
from cambrian.data.pictures import View
from cambrian.data.survey import describe
from cambrian.errors import ConfigError, UserError
from cambrian.local_weights import checksum
from cambrian.stages.base import Stage
from cambrian.stages.connecting import _open
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.session import run

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
    assert "encoder siglip: timm/vit_so400m_patch14_siglip_384.webli is not on this machine" in message
    assert "'hf download lmsys/vicuna-7b-v1.5' or runtime.download=true fetches it" in message
    assert "the data set 'sharegpt4v_pt' is not on this machine" in message
    assert "the data set 'cambrian_737k' is not on this machine" in message
    assert not list(tmp_path.glob("*/*"))


PARTS = {"llava_665k": 9, "ai2d": 5, "docvqa": 4, "dvqa": 6}
MIXED = ("scale=paper", "adapter=0M", "instruct=737k")


@pytest.fixture
def sources(folder: Path) -> Path:
    """The sources of the mixture 737k, each a file of its own; AI2D has images."""
    for name, count in PARTS.items():
        lines = []
        for index in range(count):
            image = f"pictures/{index}.{'jpg' if index % 2 else 'png'}" if name == "ai2d" else None
            mark = "<image>\n" if image else ""
            said = [
                {"from": "human", "value": f"{mark}{name} {index}?"},
                {"from": "gpt", "value": f"{name[0]}{index}"},
            ]
            lines.append(json.dumps({"id": f"{name}{index}", "conversations": said, "image": image}))
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return folder


def test_a_mixture_is_known_by_what_its_sources_hold(sources: Path, tmp_path: Path) -> None:
    made = stages(*MIXED, f"data={sources}")["tune"]
    data = data_of(made)
    assert data["examples"] == 24
    assert "source" not in data
    parts = {part["content"]: part for part in data["mixture"]}
    assert [part["content"] for part in data["mixture"]] == sorted(parts)
    for name, count in PARTS.items():
        assert parts[checksum(sources / f"{name}.jsonl")]["examples"] == count
    wanted = {name: parts[checksum(sources / f"{name}.jsonl")].get("response_format") for name in PARTS}
    assert wanted == {
        "llava_665k": None,
        "ai2d": ["Answer the question using a single word or phrase."],
        "docvqa": ["Give the short answer directly."],
        "dvqa": ["Answer the question using a single word or phrase."],
    }
    shutil.copytree(sources, tmp_path / "moved")
    assert stages(*MIXED, f"data={tmp_path / 'moved'}")["tune"].digest == made.digest
    (sources / "ai2d.jsonl").write_text((sources / "ai2d.jsonl").read_text().replace("a1", "a2"))
    data_choice._answer.cache_clear()
    assert stages(*MIXED, f"data={sources}")["tune"].digest != made.digest


def test_a_mixture_is_opened_as_it_was_planned(sources: Path) -> None:
    found = study(*MIXED, f"data={sources}")
    data = data_of(stages(*MIXED, f"data={sources}")["tune"])
    context: Any = SimpleNamespace(runtime=found.runtime)
    corpus = _open(data, context, [])
    said = {corpus.conversation(index).id: corpus.conversation(index) for index in range(len(corpus))}
    assert len(said) == 24
    assert said["llava_665k3"].turns[0].question == "llava_665k 3?"
    assert said["docvqa2"].turns[0].question == "docvqa 2?\nGive the short answer directly."
    view = View(4, (0, 0, 0))
    images = [index for index in range(24) if corpus.conversation(index).image is not None]
    assert len(images) == PARTS["ai2d"]
    assert corpus.pictures(images[::-1], [view])[view].shape == (5, 4, 4, 3)
    names = [corpus.conversation(index).id for index in images]
    alone = {index: corpus.pictures([index], [view])[view][0] for index in images}
    assert (corpus.pictures(images[::-1], [view])[view][0] == alone[images[-1]]).all(), names
    half = _open({**data, "examples": 12}, context, [])
    assert {half.conversation(index).id for index in range(12)} < set(said)


def test_without_sentences_the_stage_is_another(sources: Path) -> None:
    kept, plain = (
        stages(*MIXED, f"data={sources}", *more)["tune"]
        for more in ((), ("instruct.response_format=without",))
    )
    assert kept.digest != plain.digest
    assert not any("response_format" in part for part in data_of(plain)["mixture"])
    planned = stages(*MIXED, "instruct.response_format=without")["tune"]
    assert data_of(planned)["response_format"] == "without"
    assert planned.axes["instruct"] == "737k-no-format"
    assert "response_format" not in data_of(stages(*MIXED)["tune"])


def test_the_whole_file_goes_before_its_sources(sources: Path) -> None:
    (sources / "captions.jsonl").rename(sources / "cambrian_737k.jsonl")
    assert data_of(stages(*MIXED, f"data={sources}")["tune"])["examples"] == 6
    with pytest.raises(ConfigError, match=r"sources one by one, but .*cambrian_737k.jsonl is the whole"):
        study(*MIXED, f"data={sources}", "instruct.response_format=without")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*MIXED, "instruct.mixture.sources=[ai2]"), "unknown source 'ai2'; did you mean 'ai2d'?"),
        (
            ("scale=paper", "instruct=10m", "instruct.mixture.sources=al"),
            "unknown group of sources 'al'; did you mean 'all'?",
        ),
        ((*MIXED, "instruct.response_format=none"), "unknown response_format 'none'"),
        (
            ("instruct=737k", "instruct.response_format=without"),
            "response_format 'without', which is about the study's sources, does not exist at scale=lab",
        ),
    ],
)
def test_what_no_mixture_is_is_refused(sources: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        study(*words, f"data={sources}")
    assert message in str(refused.value)


def test_missing_sources_are_named_before_anything_starts(sources: Path, tmp_path: Path) -> None:
    (sources / "docvqa.jsonl").unlink()
    asked = (*MIXED, f"data={sources}", f"store={tmp_path / 'store'}", "preflight=false")
    assert data_of(stages(*asked)["tune"])["source"] == "cambrian_737k"
    with pytest.raises(UserError, match="or its sources, of which docvqa is missing"):
        run(study(*asked))


def test_counts_are_printed_with_the_plan(sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(study(*MIXED, f"data={sources}", f"store={sources.parent / 'store'}", "plan=true"))
    said = capsys.readouterr().out
    assert "Mixtures (rows)" in said
    assert "DocVQA" in said
    assert "24" in said


def test_a_smaller_scale_draws_from_the_whole_mixture(sources: Path) -> None:
    data = data_of(stages("scale=mini", "adapter=0M", "instruct=737k", f"data={sources}")["tune"])
    assert (data["examples"], sum(part["examples"] for part in data["mixture"])) == (2, 24)
