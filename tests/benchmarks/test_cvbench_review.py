"""The page shows every question as text and nothing else; decisions make the same data every time."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cvbench_sources import Coco
from PIL import Image

from cambrian.benchmarks.cvbench.__main__ import main
from cambrian.benchmarks.cvbench.dataset import picture_of, read_rows
from cambrian.benchmarks.cvbench.review import list_items, name_data
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.data.pictures import read_size

EVIL = "</script><img src=x onerror=alert(1)> & \u2028 'dog'"


class Page(HTMLParser):
    """Tags of a page, and what is in its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id") or "" if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built benchmark of seven counting and relation questions."""
    coco = Coco(tmp_path)
    for number in range(1, 5):
        coco.add(number, [("dog", (10, 10, 60, 60)), ("chair", (200, 100, 260, 150))])
    file, pictures = coco.write()
    words = ["--coco", str(file), str(pictures), "--count", "3"]
    assert main(["build", str(tmp_path / "out"), *words]) == 0
    assert len(read_rows(tmp_path / "out")) == 7
    return tmp_path / "out"


def decide(folder: Path, decisions: dict[str, Any], **more: Any) -> Path:
    """Write decisions as the page does."""
    data = name_data(list_items(folder, read_rows(folder)))
    path = folder.parent / "decisions.json"
    path.write_text(json.dumps({"data": data, "decisions": decisions, **more}))
    return path


def keys(folder: Path) -> list[str]:
    return [item.key for item in list_items(folder, read_rows(folder))]


def test_the_page_needs_nothing_else_and_shows_all(folder: Path) -> None:
    assert main(["review", str(folder)]) == 0
    text = (folder / "review.html").read_text()
    page = Page(text)
    markup = re.sub(r"<script .*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?:|src=|href=|@import|url\(", markup), "nothing is fetched"
    content = json.loads(page.scripts["data"])
    rows = read_rows(folder)
    shown = content["items"]
    assert [(one["idx"], one["question"], one["choices"], one["answer"]) for one in shown] == [
        (row["idx"], row["question"], row["choices"], row["answer"]) for row in rows
    ]
    for one, row in zip(shown, rows, strict=True):
        small = Image.open(BytesIO(base64.b64decode(page.scripts[f"picture-{one['picture']}"])))
        assert small.format == "JPEG" and small.size == read_size(picture_of(folder, row))
    assert len(page.scripts) == 1 + len({one["picture"] for one in shown}), "a picture is there once"


def test_texts_cannot_become_markup(folder: Path) -> None:
    file = folder / "benchmarks" / "cvbench_2d" / "test.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0] |= {"question": EVIL, "choices": [EVIL, "1"], "answer": "(A)", "source_filename": EVIL}
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["review", str(folder), "--page", str(folder / "page.html")]) == 0
    text = (folder / "page.html").read_text()
    page = Page(text)
    assert json.loads(page.scripts["data"])["items"][0]["question"] == EVIL
    assert not set("<>&") & set(page.scripts["data"]), "nothing that could end or open an element"
    assert "img" not in [tag for tag, _ in page.tags]
    assert "innerHTML" not in text and "insertAdjacentHTML" not in text and "document.write" not in text


def test_decisions_make_the_reviewed_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third, *_ = keys(folder)
    changed = {"question": "How many cats?", "choices": ["3", "5"], "answer": "(B)"}
    path = decide(
        folder,
        {
            third: {"status": "accepted"},
            first: {"status": "modified", **changed},
            second: {"status": "rejected"},
        },
    )
    out = folder.parent / "reviewed"
    assert main(["review", str(folder), "--apply", str(path), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 accepted, 1 modified, 1 rejected, 4 unreviewed; unreviewed questions are left out" in said
    before, after = read_rows(folder), read_rows(out)
    assert [row["idx"] for row in after] == [0, 2], "numbers stay"
    assert {name: after[0][name] for name in changed} == changed
    assert after[0]["prompt"] == "How many cats? Select from the following choices.\n(A) 3\n(B) 5"
    assert after[1] == before[2]
    files = {path.name for path in (out / "benchmarks").rglob("*.jpg")}
    assert files == {Path(row["image"]).name for row in after}, "no picture of what was left out"
    assert json.loads((out / "report.json").read_text()) == {
        "reviewed": {"accepted": 1, "modified": 1, "rejected": 1, "unreviewed": 4},
        "unreviewed_are": "left out",
    }
    again = folder.parent / "again"
    assert main(["review", str(folder), "--apply", str(path), "--out", str(again)]) == 0
    assert fingerprint(again / "benchmarks") == fingerprint(out / "benchmarks")


def test_unreviewed_questions_are_kept_where_that_is_said(folder: Path) -> None:
    path = decide(folder, {keys(folder)[1]: {"status": "rejected"}})
    out = folder.parent / "reviewed"
    words = ["--apply", str(path), "--out", str(out), "--unreviewed", "keep"]
    assert main(["review", str(folder), *words]) == 0
    before = read_rows(folder)
    assert read_rows(out) == [before[0], *before[2:]]


def refused(folder: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["review", str(folder), "--apply", str(path), "--out", str(folder.parent / "no")])
    assert caught.value.code == 2 and not (folder.parent / "no").exists()
    return capsys.readouterr().err


def test_decisions_that_make_no_sense_are_all_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three, four, *_ = keys(folder)
    modified = {"status": "modified", "question": "Q?", "choices": ["a", "b"], "answer": "(A)"}
    path = decide(
        folder,
        {
            one: {"status": "fine"},
            two: {**modified, "choices": ["a", "a"]},
            three: {**modified, "answer": "(C)"},
            four: {"status": "modified"},
            "0123": modified,
        },
    )
    said = refused(folder, path, capsys)
    assert "5 decisions cannot be read" in said
    assert f"{one}: the status is none of accepted, modified, rejected" in said
    assert f"{two}: an option is there twice: ['a', 'a']" in said
    assert f"{three}: the answer is none of (A) to (B): '(C)'" in said
    assert f"{four}: the question is empty or no text: None" in said
    assert "0123: no question of these data" in said


def test_decisions_about_other_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = keys(folder)[0]
    path = decide(folder, {key: {"status": "accepted"}, "0123": {"status": "accepted"}}, data="other")
    assert "about other questions than these, 1 of its 2 are not here" in refused(folder, path, capsys)
    path.write_text("[]")
    assert "is not what the review page writes" in refused(folder, path, capsys)
    path.write_text("{")
    assert "cannot be read as JSON" in refused(folder, path, capsys)
    nothing = decide(folder, {key: {"status": "rejected"}})
    assert "leaves no question" in refused(folder, nothing, capsys)


def test_a_picture_that_changed_is_another_question(folder: Path) -> None:
    before = keys(folder)
    Image.new("RGB", (320, 240)).save(picture_of(folder, read_rows(folder)[0]))
    after = keys(folder)
    assert before[0] != after[0] and before[1:] == after[1:]


def test_lines_that_are_no_questions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "benchmarks" / "cvbench_2d" / "test.jsonl"
    lines = file.read_text().splitlines()
    for spoilt, message in (
        ("{", "is no JSON"),
        ('{"idx": 1}', "has not the columns"),
        (lines[1].replace('"answer": "(', '"answer": "(X'), "the answer is none of"),
        (lines[1].replace('"image": "img', '"image": "../img'), "its type or its image is none"),
    ):
        file.write_text("\n".join([lines[0], spoilt]) + "\n")
        with pytest.raises(SystemExit):
            main(["review", str(folder)])
        said = capsys.readouterr().err
        assert f"{file}, line 2" in said and message in said
    file.write_text("\n".join(lines) + "\n")
    picture_of(folder, read_rows(folder)[3]).unlink()
    for place, message in ((folder, "cannot be read: No such file"), (folder.parent, "holds no questions")):
        with pytest.raises(SystemExit):
            main(["review", str(place)])
        assert message in capsys.readouterr().err
