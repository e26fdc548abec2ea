"""A data set in LLaVA's format: what is right is served, what is wrong is named and left out."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cambrian.data.llava_corpus import open_corpus
from cambrian.data.pictures import View
from cambrian.errors import BadImageError, DataError

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
    corpus, found = open_corpus(path, folder)
    assert [corpus.conversation(index).id for index in range(len(corpus))] == ["one", "two", "three"]
    assert [(fault.row, fault.line) for fault in found.faults] == [(1, 2), (3, 5), (4, 6), (6, 8)]
    words = [
        "coco/z.png is not in the folder",
        "leads out of the folder",
        "not JSON",
        "list of what was said",
    ]
    assert all(word in str(fault) for word, fault in zip(words, found.faults, strict=True))


def test_conversations_and_pictures_go_by_the_same_index(folder: Path) -> None:
    lines = [row("one", image="coco/a.png"), row("two"), row("three", image="b.jpg")]
    corpus, _ = open_corpus(write(folder, *lines), folder)
    corpus = pickle.loads(pickle.dumps(corpus))
    assert [corpus.conversation(index).image for index in range(3)] == [0, None, 2]
    assert corpus.conversation(2).turns[0].question == "Q three"
    pictures = corpus.pictures([2, 0], VIEWS)
    large, small = (pictures[view] for view in VIEWS)
    assert (large.shape, small.shape) == ((2, 8, 8, 3), (2, 4, 4, 3))
    assert np.array_equal(large[1], np.broadcast_to((10, 20, 30), (8, 8, 3)))
    assert (large[0, 0] == 0).all(), "padded above with the colour of the view"
    assert (small[0, 0, :, 0] > 240).all(), "the image has 200"


def test_a_picture_that_cannot_be_decoded_says_so_when_it_is_read(folder: Path) -> None:
    corpus, found = open_corpus(write(folder, row("torn", image="torn.jpg")), folder)
    assert found.faults == ()
    with pytest.raises(BadImageError, match=r"torn.jpg"):
        corpus.pictures([0], VIEWS)


def test_a_file_without_any_row_that_is_right_is_refused(folder: Path) -> None:
    path = write(folder, row("a", image="x.png"), row("b", image="y.png"))
    with pytest.raises(DataError, match=r"none of 2 rows can be used: line 1: the image x.png is not in"):
        open_corpus(path, folder)
