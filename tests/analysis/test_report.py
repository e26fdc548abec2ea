"""The report of a store: what it says, that nothing in it can do anything, that it is the same every time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from answered_store import ATTACK, HOST, QUESTIONS, fill_answered
from fake_store import fill, forget_credits
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.report.__main__ import main
from analysis.report.content import Content, gather, shortened
from analysis.report.page import embedded, render
from analysis.report.provenance import command_of
from analysis.results import read_results
from cambrian.benchmarks.suite import BENCHMARKS, questions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("store")
    fill_answered(place)
    return place


@pytest.fixture(scope="module")
def content(store: Path) -> Content:
    return _gather(store)


@pytest.fixture(scope="module")
def page(content: Content) -> str:
    return render(content).decode("utf-8")


def _gather(store: Path) -> Content:
    results = read_results(store)
    return gather(store, results, results.frame, command="python -m analysis.report", data=None)


def _data(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_it_counts_what_is_there(content: Content) -> None:
    assert (content.models, content.benchmarks, content.scales) == (3, 4, ("lab",))
    assert content.answers == 11 * QUESTIONS
    (gap,) = content.gaps
    assert (gap.label, gap.benchmarks) == ("mae", ("lab_count",))
    assert "encoder=mae connector=concat" in gap.command


def test_costs_are_those_of_all_processes(content: Content) -> None:
    kinds = {kind.kind: kind for kind in content.costs.kinds}
    assert {name: (kind.stages, kind.unshared, kind.seconds) for name, kind in kinds.items()} == {
        "align": (1, 3, 60.0),  # 30 seconds of two processes, once for three models
        "tune": (3, 3, 180.0),
        "evaluate": (11, 11, 11.0),
    }
    assert content.costs.shared_seconds == pytest.approx(120.0)
    (failure,) = content.costs.failures
    assert (failure.failure_class, failure.stage["label"]) == ("numeric", "tune mae sva")


def test_scores_and_labels_are_those_of_the_store(content: Content) -> None:
    scores = content.data["scores"]
    rows = zip(scores["run"], scores["benchmark"], scores["score"], scores["digest"], strict=True)
    found = {
        (content.data["runs"][run]["label"], scores["benchmarks"][benchmark]["name"]): score
        for run, benchmark, score, _ in rows
    }
    assert found["siglip", "lab_count"] == 75
    assert found["dinov2", "lab_text"] == 50
    assert [run["label"] for run in content.data["runs"]] == ["dinov2", "mae", "siglip"]
    assert all(len(digest) == 64 for digest in scores["digest"])
    sources = {source["key"]: source["name"] for source in content.data["figure"]["sources"]}
    assert sources == {"own lab": "Lab results", "published": "Published results (Cambrian-1)"}
    assert len(content.data["figure"]["sources"][1]["lines"]) == 77


def test_answers_are_those_that_were_given(content: Content) -> None:
    sample = next(one for one in content.data["samples"] if one["benchmark"] == "lab_text")
    labels = [content.data["runs"][place]["label"] for place in sample["runs"]]
    assert labels == ["dinov2", "mae", "siglip"]
    asked = {question.id: question for question in questions(BENCHMARKS["lab_text"], QUESTIONS, 0)}
    rights = {"dinov2": range(4, 10), "mae": range(6), "siglip": range(9)}
    for row in sample["questions"]:
        number = list(asked).index(row["id"])
        said = dict(zip(labels, (row["texts"][place] for place in row["sighted"]), strict=True))
        for label in labels:
            wrong = ATTACK if label == "mae" else "no idea"
            assert said[label] == (asked[row["id"]].answer if number in rights[label] else wrong)
        assert row["credits"] == [int(number in rights[label]) for label in labels]
        assert {row["texts"][place] for place in row["blind"]} == {"blind"}
    # Those on which all agree are not worth a look.
    assert {list(asked).index(row["id"]) for row in sample["questions"]} == {0, 1, 2, 3, 6, 7, 8, 9}


def test_pictures_of_the_lab_are_drawn_again(content: Content) -> None:
    names = {row["image"] for sample in content.data["samples"] for row in sample["questions"]}
    assert set(content.data["pictures"]) == names and content.data["lacking"] == {}
    for url in content.data["pictures"].values():
        kind, _, code = url.partition(",")
        assert kind == "data:image/webp;base64"
        assert base64.b64decode(code)[:4] == b"RIFF"


def test_nothing_from_outside_is_markup(page: str, content: Content) -> None:
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert 'onerror="document' not in page and "<b>of</b>" not in page and "<i>loss</i>" not in page
    assert HOST.replace("<", "&lt;").replace(">", "&gt;") in page
    assert "NonFiniteLoss: &lt;i&gt;loss&lt;/i&gt;" in page
    texts = [
        text for sample in _data(page)["samples"] for row in sample["questions"] for text in row["texts"]
    ]
    assert ATTACK in texts
    assert _data(page) == json.loads(json.dumps(content.data))


@given(st.text())
@settings(deadline=None)
def test_any_text_comes_through_the_script_element(text: str) -> None:
    written = embedded({text: text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text: text}


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded({"score": float("nan")})


def test_the_policy_allows_this_script_and_no_network(page: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    for name, text in (("script-src", script), ("style-src", style)):
        code = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{code}'"
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    outside = re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page)
    assert outside == []
    assert set(re.findall(r"https?://[^\s\"'<)]+", page)) == {"http://www.w3.org/2000/svg"}


def test_equal_stores_give_equal_bytes_wherever_they_are(store: Path, tmp_path: Path, page: str) -> None:
    elsewhere = tmp_path / "a private place" / "store"
    fill_answered(elsewhere)
    again = render(_gather(elsewhere)).decode("utf-8")
    assert again == page
    assert str(store) not in page and str(tmp_path) not in again and "/home/me" not in page


def test_the_command_names_no_private_folder() -> None:
    assert command_of(None, [], None) == "python -m analysis.report"
    assert command_of("runs/fig6", ["encoder=mae"], "/home/me/data") == (
        "python -m analysis.report --store runs/fig6 --only encoder=mae --data .../data"
    )
    assert command_of("s3://key:secret@bucket/x?key=secret", [], None).endswith("--store s3://bucket/x")


def test_means_are_of_models_that_answered_everything(content: Content) -> None:
    by_name = {one["name"]: one for one in content.data["comparisons"]}
    whole = by_name["All categories: mean"]
    assert whole["runs"] == [0, 2], "mae was not asked lab_count"
    assert whole["scores"] == [50, 75]
    assert by_name["General: mean"]["scores"] == [50, 50, 75]


def test_long_texts_are_cut_and_the_rest_counted() -> None:
    assert shortened("a" * 600) == "a" * 600
    assert shortened("a" * 1834) == f"{'a' * 600} [... 1,234 more characters]"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    fill(tmp_path, ("clip",))
    forget_credits(tmp_path)
    fill_answered(tmp_path)
    (tmp_path / "evaluate" / ("0" * 64)).mkdir()
    (tmp_path / "tune" / ("1" * 64)).mkdir()
    notes = _gather(tmp_path).notes
    assert f"could not be read: evaluate/{'0' * 64}: no manifest.json" in notes
    assert "could not be read: tune/111111111111: No such file or directory" in notes
    without = [note for note in notes if note.startswith("not compared question by question:")]
    assert len(without) == 8 and not any(str(tmp_path) in note for note in notes)


def test_first_looks_stay_out_of_the_scores_but_count_as_costs(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",))
    fill(tmp_path, ("mae",), axes={"proxy": 0.1})
    content = _gather(tmp_path)
    assert [run["label"] for run in content.data["runs"]] == ["siglip"]
    (kind,) = content.costs.kinds
    assert (kind.stages, kind.first_looks) == (16, 8)


def test_the_command(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "folder" / "report.html"
    code = "import sys, runpy; runpy.run_module('analysis.report', run_name='__main__', alter_sys=True)"
    heavy = "{'torch', 'ray', 'transformers', 'timm'} & set(sys.modules)"
    code = f"import atexit, sys; atexit.register(lambda: print({heavy})); {code}"
    choice = ["--store", str(store), "--only", "encoder=siglip", "--out", str(out)]
    result = subprocess.run(
        [sys.executable, "-c", code, *choice],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=500,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{out}  (")
    assert result.stdout.endswith("1 models, 4 benchmarks)\nset()\n"), "no model code is imported"
    assert "siglip" in out.read_text() and out.stat().st_size < 1_000_000
    assert main(["--store", str(store), "--only", "encoder=siglp"]) == 2
    assert "did you mean 'siglip'" in capsys.readouterr().err


def test_an_empty_store_shows_the_published_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    assert main(["--store", str(tmp_path / "none"), "--out", str(out)]) == 0
    assert "make some: python run.py -m" in capsys.readouterr().err
    page = out.read_text()
    assert "There are no results in this store yet." in page and "published numbers alone" in page
    assert [source["key"] for source in _data(page)["figure"]["sources"]] == ["published"]


def test_a_store_in_object_storage(store: Path, tmp_path: Path, page: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(store), "/report-test", recursive=True)
    memory.pipe("/report-test/tune/huge/model.safetensors", b"not fetched")
    out = tmp_path / "report.html"
    assert main(["--store", "memory://report-test", "--out", str(out)]) == 0
    assert _data(out.read_text()) == _data(page)
    assert "NonFiniteLoss" in out.read_text()


@pytest.mark.parametrize("scale", ["lab", "mini", "paper"])
def test_own_and_published_stand_side_by_side_at_the_papers_scale_alone(tmp_path: Path, scale: str) -> None:
    fill(tmp_path, ("siglip",), axes={"scale": scale})
    keys = [source["key"] for source in _gather(tmp_path).data["figure"]["sources"]]
    assert keys == [f"own {scale}", *(["both"] if scale == "paper" else []), "published"]
