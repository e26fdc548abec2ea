"""Other forms of a data set: tar shards and Hugging Face's Arrow files, each behind the same corpus."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from datasets.arrow_writer import ArrowWriter
from PIL import Image as Picture

from cambrian.data.pictures import View
from cambrian.data.places import content_of, find_place
from cambrian.data.survey import describe, digest_of_faults, open_part, survey
from cambrian.errors import DataError, UserError

VIEW = View(4, (0, 0, 0))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hub"))


def png(red: int) -> bytes:
    content = io.BytesIO()
    Picture.new("RGB", (6, 6), (red, 0, 0)).save(content, "png")
    return content.getvalue()


def row(name: str, *, image: bool = True, **more: Any) -> dict[str, Any]:
    mark = "<image>\n" if image else ""
    said = [{"from": "human", "value": f"{mark}Q {name}"}, {"from": "gpt", "value": f"A {name}"}]
    return {"id": name, "conversations": said, **more}


def write_shard(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    def pack(content: object) -> bytes:
        return json.dumps(content).encode()

    write_shard(
        tmp_path / "web" / "web-000.tar",
        {"a/1.json": pack(row("one", image=True, images=["x.jpg"])), "a/1.png": png(10), "a/2.PNG": png(20)}
        | {"a/2.json": pack({"conversations": row("two")["conversations"]})},
    )
    write_shard(
        tmp_path / "web" / "web-001.tar",
        {
            "3.json": pack(row("three", image=False)),
            "4.json": pack(row("four")),
            "5.json": b"{no",
        }
        | {"6.json": pack(row("six")), "6.jpg": png(60), "7.json": pack(row("7", image=True, image_path=1))},
    )
    return tmp_path


def test_shards_are_read_at_random_without_extraction(sharded: Path) -> None:
    place = find_place(sharded, "web")
    assert place == sharded / "web"
    corpus, found = survey(place)
    corpus = pickle.loads(pickle.dumps(corpus))
    ids = [corpus.conversation(index).id for index in range(len(corpus))]
    assert ids == ["one", "a/2", "three", "six"]
    pictures = corpus.pictures([3, 0, 1], [VIEW])[VIEW]
    assert pictures[:, 0, 0, 0].tolist() == [60, 10, 20]
    assert corpus.image_size(3) == (6, 6)
    assert corpus.conversation(2).image is None
    assert [str(fault) for fault in found.faults] == [
        "web-001.tar/4.json: no image, but 1 marks <image>",
        "web-001.tar/5.json: not JSON: Expecting property name enclosed in double quotes at character 1 of "
        "the row",
        "web-001.tar/7.json: no image, but 1 marks <image>",
    ]
    part = open_part(place, content=content_of(place), left_out=digest_of_faults(found), examples=2)
    assert len(part) == 2
    assert set(sharded.iterdir()) == {sharded / "web", sharded / "cache"}
    assert {path.suffix for path in (sharded / "web").iterdir()} == {".tar"}


def test_shards_are_known_by_content_in_order(sharded: Path) -> None:
    before = content_of(sharded / "web")
    (sharded / "web").rename(sharded / "other")
    assert content_of(sharded / "other") == before
    write_shard(sharded / "other" / "web-002.tar", {"9.json": b"{}"})
    assert content_of(sharded / "other") != before


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content[:1500], "cannot be read at random: unexpected end|is truncated"),
        (lambda content: b"no tar at all" * 100, "cannot be read at random"),
        (lambda content: __import__("gzip").compress(content), "cannot be read at random"),
    ],
)
def test_a_broken_shard_is_refused_by_name(sharded: Path, spoil: Any, reason: str) -> None:
    path = sharded / "web" / "web-000.tar"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=rf"web-000.tar.*({reason})"):
        survey(sharded / "web")


def table(*, images: list[bytes | None] | None = None) -> Dataset:
    count = 3 if images is None else len(images)
    rows = {
        "id": [f"r{index}" for index in range(count)],
        "conversations": [
            row(str(index), image=images is not None and images[index] is not None)["conversations"]
            for index in range(count)
        ],
        "other": list(range(count)),
    }
    turn = {"from": Value("string"), "value": Value("string")}
    features: dict[str, Any] = {"id": Value("string"), "conversations": [turn], "other": Value("int64")}
    if images is None:
        return Dataset.from_dict(rows, features=Features(features))
    cells = [None if image is None else {"bytes": image, "path": None} for image in images]
    return Dataset.from_dict({**rows, "image": cells}, features=Features({**features, "image": Image()}))


@pytest.mark.parametrize("below", ["", "train"])
def test_arrow_files_are_a_corpus(tmp_path: Path, below: str) -> None:
    table(images=[png(10), None, png(30)]).save_to_disk(tmp_path / "data" / "mine" / below)
    place = find_place(tmp_path / "data", "mine")
    assert place is not None
    corpus, found = survey(place)
    assert found.faults == ()
    assert [corpus.conversation(index).image for index in range(3)] == [0, None, 2]
    assert corpus.pictures([2, 0], [VIEW])[VIEW][:, 0, 0, 0].tolist() == [30, 10]
    assert corpus.image_size(2) == (6, 6)


def test_a_row_of_arrow_that_is_wrong_is_named_by_its_number(tmp_path: Path) -> None:
    made = table(images=[png(10), png(20)])
    silent = made.map(
        lambda one, index: {"conversations": one["conversations"][: 2 - index]}, with_indices=True
    )
    silent.save_to_disk(tmp_path / "mine")
    _, found = survey(tmp_path / "mine")
    assert [str(fault) for fault in found.faults] == ["row 2: the last question has no answer"]


def test_a_data_set_of_the_hub_is_found_in_the_cache(tmp_path: Path) -> None:
    root = tmp_path / "hub" / "org___talks"
    for configuration, age in (("plain", 0), ("rich", 1)):
        folder = root / configuration / "0.0.0" / "abc"
        table(images=[png(age)]).save_to_disk(folder)
        (folder / "data-00000-of-00001.arrow").rename(folder / "talks-train.arrow")
        (folder / "talks-test.arrow").write_bytes(b"not looked at")
    with pytest.raises(
        UserError, match=r"several configurations; name one of org/talks:plain, org/talks:rich"
    ):
        find_place(None, "org/talks")
    assert find_place(None, "org/talks:rich") == root / "rich" / "0.0.0" / "abc"
    newer = root / "rich" / "0.0.0" / "def"
    table().save_to_disk(newer)
    os.utime(newer, (2e9, 2e9))
    facts = describe("org/talks:rich", download=False)
    assert (facts["usable"], facts["file"]) == (3, str(newer))
    assert facts["summary"] == "talks:rich: 3 rows, all can be used"
    with pytest.raises(
        DataError, match=r"'org/none' is not in the cache .* runtime.download=true fetches it"
    ):
        describe("org/none", download=False)


def test_a_path_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png(5))
    made = table(images=[png(10), png(20)]).cast_column("image", Image(decode=False))
    cells = [{"bytes": png(10), "path": None}, {"bytes": None, "path": str(tmp_path / "x.png")}]
    made = made.remove_columns("image").add_column("image", cells).cast_column("image", Image(decode=False))
    (tmp_path / "mine").mkdir()
    with ArrowWriter(path=str(tmp_path / "mine" / "data-00000.arrow"), features=made.features) as writer:
        for one in made:
            writer.write(one)
        writer.finalize()
    _, found = survey(tmp_path / "mine")
    assert [str(fault) for fault in found.faults] == [
        "row 2: its image is a path, its bytes are not in the data set: row 2"
    ]


def test_columns_that_rows_need_are_named(tmp_path: Path) -> None:
    Dataset.from_dict({"text": ["a"]}).save_to_disk(tmp_path / "mine")
    with pytest.raises(DataError, match="has no column id and conversations, but text"):
        survey(tmp_path / "mine")


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    table(images=[png(77)]).save_to_disk(tmp_path / "mine")
    corpus, _ = survey(tmp_path / "mine")
    assert np.array_equal(corpus.pictures([0], [VIEW])[VIEW][0], np.full((4, 4, 3), (77, 0, 0), np.uint8))


def test_fetching_is_asked_of_the_library_and_its_failure_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(name: str, configuration: str | None, split: str) -> None:
        asked.append((name, configuration, split))
        if name == "org/gone":
            raise ConnectionError("no such thing")
        folder = tmp_path / "hub" / "org___talks" / "plain" / "0.0.0" / "abc"
        table().save_to_disk(folder)

    monkeypatch.setattr("cambrian.data.arrow.load_dataset", load)
    assert describe("org/talks:plain", download=True)["usable"] == 3
    with pytest.raises(DataError, match="'org/gone' cannot be fetched: no such thing"):
        describe("org/gone", download=True)
    assert asked == [("org/talks", "plain", "train"), ("org/gone", None, "train")]
