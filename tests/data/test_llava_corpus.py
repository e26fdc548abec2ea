"""A data set in LLaVA's format: what is right is served, what is wrong is named and left out."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cambrian.data.images import Folder
from cambrian.data.llava_corpus import Inspection, LlavaCorpus, inspect
from cambrian.data.pictures import View
from cambrian.data.rows import index_rows
from cambrian.errors import BadImageError

VIEWS = (View(8, (0, 0, 0)), View(4, (255, 0, 0)))


def row(name: str, *, image: str | None = None, **more: Any) -> str:
    mark = "<image>\n" if image else ""
    said = [{"from": "human", "value": f"{mark}Q {name}"}, {"from": "gpt", "value": f"A {name}"}]
    return json.dumps({"id": name, **({"image": image} if image else {}), "conversations": said, **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    (images / "coco").mkdir(parents=True)
    Image.new("RGB", (16, 16), (10, 20, 30)).save(images / "coco" / "a.png")
    Image.new("RGB", (16, 8), (200, 0, 0)).save(images / "b.jpg", quality=95)
    (images / "torn.jpg").write_bytes((images / "b.jpg").read_bytes()[:200])
    return images


def write(folder: Path, *lines: str) -> Path:
    path = folder.parent / "data.jsonl"
    path.write_text("\n".join(lines))
    return path


def opened(path: Path, folder: Path) -> tuple[LlavaCorpus, Inspection]:
    rows = index_rows(path)
    found = inspect(rows, Folder(folder))
    return LlavaCorpus(rows, Folder(folder), found.kept, path.name), found


def test_what_is_wrong_is_named_and_left_out_and_never_replaced(folder: Path) -> None:
    path = write(
        folder,
        row("one", image="coco/a.png"),
        row("gone", image="coco/z.png"),
        "",
        row("two"),
        row("out", image="../data.jsonl"),
        row("cut")[:-20],
        row("three", image="b.jpg"),
        row("mute", conversations=[]),
    )
    corpus, found = opened(path, folder)
    assert [corpus.conversation(index).id for index in range(len(corpus))] == ["one", "two", "three"]
    assert [(fault.row, fault.line) for fault in found.faults] == [(1, 2), (3, 5), (4, 6), (6, 8)]
    words = [
        "its image is not in the folder: coco/z.png",
        "its image leads out of the folder: ../data.jsonl",
        "not JSON",
        "list of what was said",
    ]
    assert all(word in str(fault) for word, fault in zip(words, found.faults, strict=True))


def test_conversations_and_pictures_go_by_the_same_index(folder: Path) -> None:
    lines = [row("one", image="coco/a.png"), row("two"), row("three", image="b.jpg")]
    corpus, _ = opened(write(folder, *lines), folder)
    corpus = pickle.loads(pickle.dumps(corpus))
    assert [corpus.conversation(index).image for index in range(3)] == [0, None, 2]
    assert corpus.conversation(2).turns[0].question == "Q three"
    pictures = corpus.pictures([2, 0], VIEWS)
    large, small = (pictures[view] for view in VIEWS)
    assert (large.shape, small.shape) == ((2, 8, 8, 3), (2, 4, 4, 3))
    assert np.array_equal(large[1], np.broadcast_to((10, 20, 30), (8, 8, 3)))
    assert (large[0, 0] == 0).all(), "padded above with the colour of the view"
    assert (small[0, 0, :, 0] > 240).all(), "the image has 200"


def test_the_size_of_an_image_is_read_from_its_file(folder: Path) -> None:
    corpus, _ = opened(write(folder, row("b", image="b.jpg"), row("torn", image="torn.jpg")), folder)
    assert corpus.image_size(0) == (16, 8)


def test_a_picture_that_cannot_be_decoded_says_so_when_it_is_read(folder: Path) -> None:
    corpus, found = opened(write(folder, row("torn", image="torn.jpg")), folder)
    assert found.faults == ()
    with pytest.raises(BadImageError, match=r"torn.jpg"):
        corpus.pictures([0], VIEWS)


def test_a_row_that_repeats_another_is_left_out_and_the_same_id_alone_is_not(folder: Path) -> None:
    lines = [
        row("one", image="coco/a.png"),
        row("two"),
        row("one"),
        row("one", image="coco/a.png"),
        row("two"),
    ]
    _, found = opened(write(folder, *lines), folder)
    assert [str(fault) for fault in found.faults] == [
        "line 4: the same as an earlier row: line 1",
        "line 5: the same as an earlier row: line 2",
    ]


def test_bytes_that_editors_and_broken_downloads_leave(folder: Path) -> None:
    lines = [row("one"), "", row("two"), row("half", conversations=json.loads(row("x"))["conversations"])]
    broken = row("three").replace("A three", "A \\ud800")
    path = write(folder, "x")
    text = "\r\n".join([*lines, broken, row("last")])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode()[:-9])
    corpus, found = opened(path, folder)
    assert [corpus.conversation(index).id for index in range(len(corpus))] == ["one", "two", "half"]
    assert [fault.line for fault in found.faults] == [5, 6]
    assert "half a character" in found.faults[0].reason
    assert "not JSON" in found.faults[1].reason


def test_names_that_no_disk_takes_are_no_images(folder: Path) -> None:
    names = ["x" * 5000, "a\0b", "coco/a.png/", "/etc/passwd"]
    lines = [row(str(index), image=name) for index, name in enumerate(names)]
    _, found = opened(write(folder, *lines), folder)
    assert [fault.reason.split(":")[0] for fault in found.faults] == [
        *["its image is not in the folder"] * 2,
        "its image leads out of the folder",
    ]
