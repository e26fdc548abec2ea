"""Nobody changes a prompt by chance: it takes a raised version and a flag."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from prompt_snapshots import may_change, read_snapshots, write_snapshots

from cambrian.errors import UserError


def snapshot(version: int, prompt: str) -> dict[str, Any]:
    return {"version": version, "questions": [{"id": "1", "prompt": prompt, "options": ("a", "b")}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.json"
    write_snapshots(path, {"one": snapshot(1, "What?"), "two": snapshot(3, "Where?")}, change=False)
    return path


def test_what_is_written_is_read(path: Path) -> None:
    assert read_snapshots(path)["two"] == json.loads(json.dumps(snapshot(3, "Where?")))
    assert read_snapshots(path.with_name("absent.json")) == {}


def test_a_new_benchmark_is_added_without_a_word(path: Path) -> None:
    write_snapshots(path, {**read_snapshots(path), "three": snapshot(1, "When?")}, change=False)
    assert list(read_snapshots(path)) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("version", "change", "refusal"),
    [
        (1, False, "one: questions have changed under version 1; raise it"),
        (1, True, "one: questions have changed under version 1; raise it"),
        (2, False, "one: questions have changed, and --change-prompts was not given"),
        (2, True, None),
    ],
)
def test_a_stray_space_needs_a_version_and_a_flag(
    path: Path, version: int, change: bool, refusal: str | None
) -> None:
    before = path.read_bytes()
    made = {"one": snapshot(version, "What? "), "two": snapshot(3, "Where?")}
    if refusal is None:
        write_snapshots(path, made, change=change)
        assert read_snapshots(path)["one"]["version"] == version
        return
    with pytest.raises(UserError, match="is left as it was") as raised:
        write_snapshots(path, made, change=change)
    assert refusal in str(raised.value)
    assert path.read_bytes() == before


def test_all_refusals_come_at_once(path: Path) -> None:
    with pytest.raises(UserError) as raised:
        write_snapshots(path, {"two": snapshot(3, "Why?")}, change=False)
    assert str(raised.value).splitlines()[1:] == [
        "  - one: is gone, and --change-prompts was not given",
        "  - two: questions have changed under version 3; raise it",
    ]


@pytest.mark.parametrize(("words", "change"), [([], False), (["--change-prompts"], True)])
def test_the_flag(words: list[str], change: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["write", *words])
    assert may_change("Write.") is change
