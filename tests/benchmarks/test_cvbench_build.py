"""From annotations to a folder that evaluations read as they read the published data."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cvbench_sources import CATEGORIES, HEIGHT, WIDTH, Coco, Omni3d, ade_object, paint, write_ade
from PIL import Image

from cambrian.benchmarks.cvbench.__main__ import main
from cambrian.benchmarks.cvbench.dataset import COLUMNS, picture_of, read_rows
from cambrian.benchmarks.cvbench.pictures import draw_frames
from cambrian.benchmarks.hub.material import HubMaterial, open_hub_material
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB
from cambrian.benchmarks.records import Prediction
from cambrian.benchmarks.scoring import score
from cambrian.data.pictures import View
from cambrian.runtime import Runtime

KITCHEN = ("cushion, pillow", "sofa, couch, lounge", "lamp", "table lamp", "wall")
ROOM = ("chair", "table", "sofa", "lamp", "books")


def objects(names: Sequence[str], throw: random.Random) -> list[tuple[str, tuple[int, int, int, int]]]:
    found = []
    for _ in range(throw.randint(2, 8)):
        left, top = throw.randrange(250), throw.randrange(170)
        found.append(
            (throw.choice(names), (left, top, left + throw.randint(30, 70), top + throw.randint(30, 70)))
        )
    return found


def write_sources(folder: Path, pictures: int = 30) -> list[str]:
    """Write annotations of all three data sets; gives the words that name them."""
    throw = random.Random(5)
    coco, omni = Coco(folder), Omni3d(folder)
    for number in range(1, pictures + 1):
        coco.add(number, objects([*CATEGORIES], throw))
        parts = [ade_object(*one, hypernyms=["entity"]) for one in _numbered(objects(KITCHEN, throw))]
        write_ade(folder / "ade", number, parts)
        omni.add(number, [(*one, *_somewhere(throw)) for one in objects(ROOM, throw)])
    file, images = coco.write()
    words = ["--coco", file, images, "--ade20k", folder / "ade", "--omni3d", omni.write()]
    return [*map(str, words), "--omni3d-images", str(omni.pictures)]


def _numbered(found: Sequence[tuple[str, Any]]) -> list[tuple[int, str, Any]]:
    return [(number, name, box) for number, (name, box) in enumerate(found)]


def _somewhere(throw: random.Random) -> tuple[Sequence[float], Sequence[float]]:
    place = (throw.uniform(-3, 3), throw.uniform(-1, 1), throw.uniform(1, 9))
    return place, [throw.uniform(0.1, 0.8) for _ in range(3)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("sources")
    return folder, write_sources(folder)


@pytest.fixture(scope="module")
def built(sources: tuple[Path, list[str]]) -> Path:
    folder, words = sources
    assert main(["build", str(folder / "out"), *words]) == 0
    return folder / "out"


def test_columns_and_files_are_the_published_ones(built: Path) -> None:
    assert (built / "benchmarks").stat().st_mode & 0o500 == 0o500, "it can be entered"
    rows = read_rows(built)
    assert [row["idx"] for row in rows] == list(range(len(rows)))
    assert {tuple(row) for row in rows} == {COLUMNS}
    assert {(row["type"], row["task"], row["source"]) for row in rows} == {
        *(("2D", task, source) for task in ("Count", "Relation") for source in ("ADE20K", "COCO")),
        *(("3D", task, "Omni3D") for task in ("Depth", "Distance")),
    }
    for row in rows:
        letters = "ABCDE"[: len(row["choices"])]
        listed = [f"({letter}) {choice}" for letter, choice in zip(letters, row["choices"], strict=True)]
        assert row["prompt"].split("\n") == [f"{row['question']} Select from the following choices.", *listed]
        assert row["answer"].strip("()") in letters and len(set(row["choices"])) == len(row["choices"])
        group = "omni3d_hypersim" if row["type"] == "3D" else row["source"].lower()
        assert row["filename"].startswith(f"img/{row['type']}/{row['task'].lower()}/{group}_")
        assert picture_of(built, row).is_file() and len(row["bbox"] or ()) == _frames(row)


def _frames(row: Any) -> int:
    return {"Count": 0, "Relation": int("red box" in row["question"]), "Depth": 2, "Distance": 3}[row["task"]]


def test_answers_are_balanced_and_absence_is_asked_about(built: Path) -> None:
    rows = read_rows(built)
    letters = Counter((row["task"], len(row["choices"]), row["answer"]) for row in rows)
    for (task, options, _), number in letters.items():
        all_of = [n for (t, o, _), n in letters.items() if (t, o) == (task, options)]
        assert len(all_of) == options and max(all_of) - min(all_of) <= 1 and number > 0
    said = Counter((row["task"], _answer(row)) for row in rows)
    counting = sum(number for (task, _), number in said.items() if task == "Count")
    assert 0.1 < said["Count", "0"] / counting <= 0.2
    sides = [said["Relation", side] for side in ("left", "right", "above", "below")]
    assert max(sides) - min(sides) <= 2, "each source is balanced to one"
    depths = [row for row in rows if row["task"] == "Depth"]
    start = "Which object is closer to the camera taking this photo, the "
    red = sum(row["question"].startswith(f"{start}{_answer(row)} (") for row in depths)
    assert abs(2 * red - len(depths)) <= 1, "red is as often the nearer one as blue"


def _answer(row: Any) -> str:
    return row["choices"]["ABCDE".index(row["answer"][1])]


def test_the_order_of_the_annotations_does_not_matter(sources: tuple[Path, list[str]], built: Path) -> None:
    folder, words = sources
    file = folder / "instances_val2017.json"
    content = json.loads(file.read_text())
    turned = folder / "turned" / file.name
    turned.parent.mkdir()
    for name in ("images", "annotations", "categories"):
        content[name].reverse()
    turned.write_text(json.dumps(content))
    other = [str(turned) if word == str(file) else word for word in words]
    assert main(["build", str(folder / "again"), *other]) == 0
    for name in ("cvbench_2d", "cvbench_3d"):
        one, two = (place / "benchmarks" / name for place in (built, folder / "again"))
        assert fingerprint(one) == fingerprint(two), "byte for byte"
    assert main(["build", str(folder / "seeded"), *words, "--seed", "1"]) == 0
    assert read_rows(folder / "seeded") != read_rows(built)


def test_what_is_wanted_is_shared_by_the_sources(sources: tuple[Path, list[str]], tmp_path: Path) -> None:
    _, words = sources
    wanted = ["--count", "7", "--relation", "4", "--depth", "3", "--distance", "0"]
    assert main(["build", str(tmp_path / "out"), *words, *wanted]) == 0
    rows = read_rows(tmp_path / "out")
    assert Counter((row["task"], row["source"]) for row in rows) == {
        ("Count", "ADE20K"): 4,
        ("Count", "COCO"): 3,
        ("Relation", "ADE20K"): 2,
        ("Relation", "COCO"): 2,
        ("Depth", "Omni3D"): 3,
    }
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["wanted"]["Count"] == 7 and report["pictures"] == {"ADE20K": 30, "COCO": 30, "Omni3D": 30}
    assert report["rules"]["offset_metres"] == 0.2 and report["faults"] == []


def opened(data: Path, name: str) -> HubMaterial:
    runtime = Runtime(store=data / "store", data=data)
    content = fingerprint(data / "benchmarks" / name)
    return open_hub_material(HUB[name], runtime, content=content, n=0, seed=0)


@pytest.mark.parametrize("name", ["cvbench_2d", "cvbench_3d"])
def test_an_evaluation_reads_it_as_the_published_data(built: Path, name: str) -> None:
    material = opened(built, name)
    rows = [row for row in read_rows(built) if f"cvbench_{row['type'].lower()}" == name]
    assert [question.id for question in material.questions] == [str(row["idx"]) for row in rows]
    assert material.questions[0].prompt.startswith(rows[0]["prompt"])
    shown = material.show([question.image for question in material.questions], [View(32, (0, 0, 0))])
    assert shown.faults == {} and len(shown.places) == len(rows)
    said = [
        Prediction(
            id=question.id,
            vision=vision,
            prompt=question.prompt,
            raw=f"The answer is ({question.answer})" if vision and question.part != "COCO" else "No idea",
        )
        for question in material.questions
        for vision in (True, False)
    ]
    result = score(HUB[name], material.questions, said)
    wanted = {"cvbench_2d": 50.0, "cvbench_3d": 100.0}
    assert (result.score, result.blind) == (wanted[name], 0.0), "2D is the mean of ADE20K and COCO"


def test_frames_are_drawn_around_their_objects() -> None:
    drawn = np.asarray(draw_frames(Image.new("RGB", (WIDTH, HEIGHT)), [(50, 40, 90, 100), (0, 0, 20, 20)]))
    inside = drawn[40:100, 50:90]
    assert (inside == 0).all(), "the object itself is untouched"
    assert drawn[38, 48:92].tolist() == [[255, 0, 0]] * 44 and drawn[101, 91].tolist() == [255, 0, 0]
    assert drawn[10, 0].tolist() == [0, 0, 255] and drawn[10, 21].tolist() == [0, 0, 255], "the edge holds it"


def test_pictures_that_cannot_be_shown_are_passed_over_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = write_sources(tmp_path, pictures=6)[:3]
    paint(tmp_path / "val2017" / "000000000001.jpg", size=(WIDTH, HEIGHT - 1))
    (tmp_path / "val2017" / "000000000002.jpg").write_bytes(b"no picture")
    (tmp_path / "val2017" / "000000000003.jpg").unlink()
    assert main(["build", str(tmp_path / "out"), *words]) == 0
    rows = read_rows(tmp_path / "out")
    assert {row["source_filename"] for row in rows} <= {f"{number:012d}.jpg" for number in (4, 5, 6)}
    kinds = json.loads((tmp_path / "out" / "report.json").read_text())["kinds_of_faults"]
    assert kinds == {
        "not the size that was annotated": 1,
        "is no image that Pillow knows": 1,
        "cannot be read": 1,
    }
    assert "3 records or pictures cannot be used" in capsys.readouterr().out
    assert not (tmp_path / "out" / "benchmarks" / "cvbench_3d").exists()


def test_what_lacks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = write_sources(tmp_path, pictures=6)
    assert main(["build", str(tmp_path / "out"), *words[:3], "--count", "0"]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note:")]
    assert notes == [
        "note: without ADE20K, CV-Bench 2D is not the mean of two parts",
        "note: without Omni3D there are no depth and no distance questions",
        "note: 5 of 650 relation questions; no more can be asked",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no annotations were named"),
        (["--omni3d", "FILE"], "--omni3d needs --omni3d-images"),
        (["--min-share", "2"], "min_share must be from 0 to 1"),
        (["--count", "-1"], "Count: -1 questions; at least 0"),
        (["--coco", "nothing.json", "."], "nothing.json cannot be read as JSON"),
        (["--coco", "COCO", "."], "not one question can be asked: 1 pictures, 0 faults"),
    ],
)
def test_what_a_person_can_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    file = str(Coco(tmp_path).add(1, [("dog", (0, 0, 5, 5))]).write()[0])
    with pytest.raises(SystemExit) as caught:
        main(["build", str(tmp_path / "out"), *(file if word == "COCO" else word for word in words)])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_starts_without_what_evaluations_need() -> None:
    code = (
        "import sys, cambrian.benchmarks.cvbench.__main__ as command\n"
        "heavy = {'torch', 'transformers', 'datasets', 'ray'} & set(sys.modules)\n"
        "sys.exit(f'imports {heavy}' if heavy else command.main(['review', 'nothing']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "nothing holds no questions; there is neither nothing/benchmarks/cvbench_2d"
    )
