"""Pictures of questions in the report, and what stands in their place where there are none."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

from answered_store import evaluate
from hub_fixtures import write_benchmark
from PIL import Image

from analysis.report.content import gather
from analysis.report.pictures import read_pictures
from analysis.results import read_results
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB
from cambrian.benchmarks.suite import BENCHMARKS, questions


def test_a_picture_that_cannot_be_had_is_replaced_by_why(tmp_path: Path) -> None:
    asked = questions(BENCHMARKS["lab_count"], 4, 0)
    for encoder, right in (("siglip", (0, 1)), ("mae", (2,))):
        evaluate(tmp_path, (encoder,), "realworldqa", right, asked=asked)
        evaluate(tmp_path, (encoder,), "lab_depth", right, asked=questions(BENCHMARKS["lab_depth"], 4, 9))
    results = read_results(tmp_path)
    data = gather(tmp_path, results, results.frame, command="", data=None).data
    why = {name: data["reasons"][place] for name, place in data["lacking"].items()}
    assert {text for name, text in why.items() if name.startswith("realworldqa/")} == {
        "The pictures of this benchmark are not on the machine that made the report; --data DIR names them."
    }
    assert {text for name, text in why.items() if name.startswith("lab_depth/")} == {
        "The copy of the data is not the one that was evaluated."
    }


def test_pictures_of_a_copy_keep_their_shape_and_fit_into_their_room(tmp_path: Path) -> None:
    copy = tmp_path / "benchmarks" / "vstar"
    write_benchmark(copy, "vstar", "test")
    recipe = {"benchmark": HUB["vstar"].recipe(fingerprint(copy)), "questions": 0, "seed": 0}
    names = ["direct_attributes/sa_1.jpg", "relative_position/sa_1.jpg"]
    whole = read_pictures(recipe, names, tmp_path, 100_000)
    assert list(whole.shown) == names and whole.lacking == {}
    sizes = [_size(url) for url in whole.shown.values()]
    assert sizes == [(384, 256)] * 2, "12 x 8 pixels, without what fills them up to a square"
    least = read_pictures(
        recipe, names, tmp_path, len(base64.b64decode(whole.shown[names[0]].partition(",")[2]))
    )
    assert _size(least.shown[names[0]])[0] < 384
    none = read_pictures(recipe, names, tmp_path, 10)
    assert set(none.lacking.values()) == {"Left out: the report has no more room for pictures."}
    (copy / "direct_attributes" / "sa_1.jpg").write_bytes(b"other")
    gone = read_pictures(recipe, names, tmp_path, 100_000)
    assert set(gone.lacking.values()) == {"The copy of the data is not the one that was evaluated."}


def _size(url: str) -> tuple[int, int]:
    with Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        return picture.size
