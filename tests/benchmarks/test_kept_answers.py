"""Answers on disk: whole or not read at all, by any number of processes."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks.answering import candidates_of
from cambrian.benchmarks.records import Question
from cambrian.data.pictures import View
from cambrian.model.blocks import Request
from cambrian.stages.base import Artifact
from cambrian.stages.kept_answers import KeptAnswers, answer_key, model_fingerprint, pixels_digest

REQUEST = Request(id="q", question="what is this", image=0, size=(20, 10))


@settings(max_examples=30)
@given(answers=st.dictionaries(st.text("0123456789abcdef", min_size=1), st.text(), min_size=1))
def test_what_is_kept_is_found(tmp_path_factory: pytest.TempPathFactory, answers: dict[str, str]) -> None:
    folder = tmp_path_factory.mktemp("kept")
    KeptAnswers(folder, "model").keep(answers)
    assert KeptAnswers(folder, "model").find([*answers, "unknown"]) == answers
    assert KeptAnswers(folder, "another").find(answers) == {}


def test_a_surrogate_without_its_other_half_comes_back(tmp_path: Path) -> None:
    KeptAnswers(tmp_path, "model").keep({"a": "\ud83d\n"})
    assert KeptAnswers(tmp_path, "model").find("a") == {"a": "\ud83d\n"}


def test_damaged_and_unfinished_lines_are_not_read(tmp_path: Path) -> None:
    KeptAnswers(tmp_path, "model").keep({"a": "one", "b": "two", "c": "three"})
    (path,) = tmp_path.iterdir()
    content = path.read_bytes().replace(b"two", b"tow")
    for length in range(len(content)):
        path.write_bytes(content[:length])
        found = KeptAnswers(tmp_path, "model").find("abc")
        assert found in ({}, {"a": "one"}, {"a": "one", "c": "three"})
    path.write_bytes(content[: content.index(b"tow")])
    KeptAnswers(tmp_path, "model").keep({"d": "four"})
    assert KeptAnswers(tmp_path, "model").find("abcd") == {"a": "one", "d": "four"}
    path.write_bytes(b"\xff\x00 a \xe2\n" + path.read_bytes())
    assert KeptAnswers(tmp_path, "model").find("d") == {"d": "four"}


def keep_many(folder: Path, name: str) -> None:
    kept = KeptAnswers(folder, "model")
    for number in range(200):
        kept.keep({f"{name}{number}": name * number})


def test_processes_append_to_one_file(tmp_path: Path) -> None:
    start = multiprocessing.get_context("fork")
    processes = [start.Process(target=keep_many, args=(tmp_path, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    expected = {f"{name}{number}": name * number for name in "abc" for number in range(200)}
    assert KeptAnswers(tmp_path, "model").find(expected) == expected


def test_the_key_is_what_is_asked(tmp_path: Path) -> None:
    key = answer_key(REQUEST, "pixels", 8)
    assert answer_key(replace(REQUEST, id="another", image=3), "pixels", 8) == key
    others = [
        answer_key(replace(REQUEST, question="what is that"), "pixels", 8),
        answer_key(replace(REQUEST, size=(10, 20)), "pixels", 8),
        answer_key(replace(REQUEST, candidates=("A", "B")), "pixels", 8),
        answer_key(REQUEST, "other pixels", 8),
        answer_key(REQUEST, "", 8),
        answer_key(REQUEST, "pixels", 9),
    ]
    assert len({key, *others}) == 7


def test_pixels_are_told_apart_by_view_and_place() -> None:
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    black, white = View(4, (0, 0, 0)), View(4, (255, 255, 255))
    pictures = {black: pixels, white: pixels}
    found = {
        pixels_digest(pictures, place, views)
        for place in (0, 1)
        for views in ([black], [white], [black, white])
    }
    assert len(found) == 6
    assert pixels_digest({black: pixels.copy()}, 0, [black]) in found


def test_the_fingerprint_of_a_model_is_that_of_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def fingerprint(checksum: str, device: str = "cpu") -> str:
        files = {"files": {"model.safetensors": {"sha256": checksum}}}
        model = Artifact(digest="same", path=Path("same"), manifest=files)
        return model_fingerprint({"model": model}, device)

    assert fingerprint("a") == fingerprint("a")
    assert len({fingerprint("a"), fingerprint("b"), fingerprint("a", "cuda:1")}) == 3
    assert fingerprint("a", "cuda:1") == fingerprint("a", "cuda:0")
    before = fingerprint("a")
    monkeypatch.setattr("cambrian.stages.kept_answers.source_fingerprint", lambda module: "changed")
    assert fingerprint("a") != before


def test_candidates_are_letters_where_letters_are_read() -> None:
    question = Question(id="", image="", prompt="", answer="A", options=("red", "green"))
    assert candidates_of("choice", question) == ("A", "B")
    assert candidates_of("short", question) == ("red", "green")
