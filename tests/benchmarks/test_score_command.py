"""Scoring a file of predictions alone: what it prints, what it refuses, and that no torch is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cambrian.benchmarks.score import main, score_sheets
from cambrian.benchmarks.sheets import read_sheets
from cambrian.errors import DataError, UserError

OPTIONS = ["open", "closed"]


def line(id: str | int, prediction: str = "A", **more: object) -> dict[str, Any]:
    """One right answer to a question of AI2D, or what `more` makes of it."""
    row = {"id": id, "benchmark": "ai2d", "prediction": prediction, "answer": "A", "options": OPTIONS}
    return {**row, **more}


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def numbers(file: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main([str(file), "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)["benchmarks"]


def test_one_row_per_benchmark(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yes = {"benchmark": "pope", "answer": "yes", "options": []}
    rows = [line(number, "B" if number else "(A) open") for number in range(4)]
    rows += [line("x", "Yes.", **yes), line("x", "no", **yes, vision=False)]
    ai2d, pope = numbers(write(file, rows), capsys)
    assert (ai2d["benchmark"], ai2d["n"], ai2d["score"], ai2d["chance"]) == ("ai2d", 4, 25.0, 50.0)
    assert (ai2d["majority"], ai2d["unparsed"], ai2d["total"], ai2d["partial"]) == (100.0, 0.0, 3088, True)
    assert (ai2d["blind"], ai2d["vision_gain"]) == (None, None)
    assert not {"blind_low", "blind_unparsed", "paper_blind"} & set(ai2d)
    assert (pope["score"], pope["blind"], pope["vision_gain"], pope["f1"]) == (100.0, 0.0, 100.0, 100.0)


def test_the_table(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line(1), line(1, "B", vision=False), line(2, "no idea"), line(2, "A", vision=False)]
    assert main([str(write(file, rows))]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "benchmark"
    assert [cell.strip() for cell in row.split("  ") if cell] == [
        *("ai2d", "2", "50.00", "0.26 to 99.74", "50.00", "+0.00"),
        *("50.00", "100.00", "50.0%", "PARTIAL: 2 of 3,088 questions"),
    ]


def test_protocols_differ_where_the_authors_do(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(file, [line(1, "The answer is: A"), line(2, "A lamp, because")])
    (strict,) = numbers(file, capsys)
    (paper,) = numbers(file, capsys, "--protocol", "paper")
    assert (strict["score"], paper["score"]) == (50.0, 50.0)
    assert strict["paper_score"] == paper["score"]
    assert strict["unparsed"] == 50.0
    # Ours reads the declared letter, theirs the first character of anything.
    write(file, [line(1, "The answer is: A")])
    assert numbers(file, capsys)[0]["score"] == 100.0
    assert numbers(file, capsys, "--protocol", "paper")[0]["score"] == 0.0


def test_the_authors_protocol_leaves_out_what_they_do_not_score(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(file, [line(1), line(1, "page", benchmark="docvqa", answer="page", options=[])])
    assert main([str(file), "--protocol", "paper"]) == 0
    said = capsys.readouterr()
    assert said.err == "note: the authors have no scorer for docvqa\n"
    assert "docvqa" not in said.out


def test_answers_may_be_the_text_of_an_option(file: Path) -> None:
    (result,) = score_sheets(read_sheets(write(file, [line(1, "b", answer="closed")])), "paper")
    assert result.score.score == 100.0


BAD = [
    ("[]", "not an object but list"),
    ("{", "not JSON: Expecting property name enclosed in double quotes at character 1 of the row"),
    ('{"id": "1"}', "no benchmark, prediction"),
    (json.dumps(line(1, answer=None)), "no answer"),
    (json.dumps(line(1, prediction=3)), "'prediction' must be a text, got 3"),  # type: ignore[arg-type]
    (json.dumps(line(True)), "'id' must be a text, got True"),
    (json.dumps(line(1, vision=0)), "'vision' must be true or false, got 0"),
    (json.dumps(line(1, options="ab")), "'options' must be a list of texts, got 'ab'"),
    (json.dumps(line(1, visoin=True)), "unknown key 'visoin'; did you mean 'vision'?"),
    (json.dumps(line(1, answer="C")), "matcher 'choice' finds no answer in 'answer' ('C', options: "),
    (json.dumps(line(1, options=["x"] * 27)), "27 options; there are letters for 26"),
    (json.dumps(line("\ud800")), "'id' must be a text that can be shown, got '\\ud800'"),
    (json.dumps(line(1, benchmark="ai3d")), "unknown benchmark 'ai3d'; did you mean 'ai2d'?"),
    (json.dumps(line(0, answer="B")), "'answer' of question '0' is not what row 1 says"),
]


def test_all_bad_lines_are_listed(file: Path) -> None:
    content = [json.dumps(line(0)), "", *(text for text, _ in BAD)]
    file.write_text("\n".join(content), encoding="utf-8")
    with pytest.raises(DataError) as raised:
        read_sheets(file)
    head, *listed = str(raised.value).splitlines()
    assert head == f"{file}: {len(BAD)} of {len(BAD) + 1} rows are bad; not scored:"
    for number, (said, (_, reason)) in enumerate(zip(listed, BAD, strict=True), start=3):
        assert said.startswith(f"  line {number}: {reason}")


def test_faults_of_all_benchmarks_are_listed(file: Path) -> None:
    pair = {"benchmark": "mmvp"}
    rows = [line(1), line(1), line(2), line(2, vision=False), line(7, **pair, group="g")]
    with pytest.raises(UserError) as raised:
        score_sheets(read_sheets(write(file, rows)))
    said = str(raised.value)
    assert "  - 1 missing predictions: 1 (blind)" in said
    assert "  - 1 duplicate predictions: 1 (with image)" in said
    assert "mmvp: 1 groups of questions are not whole, so 'pairs' has no value: g" in said


def test_a_benchmark_of_your_own(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line(1, "about 96", benchmark="mine", answer="100", options=None)]
    with pytest.raises(DataError, match="--matcher and --metric"):
        read_sheets(write(file, rows))
    words = ("--matcher", "number_5_percent")
    assert [numbers(file, capsys, *words)[0][name] for name in ("score", "total")] == [100.0, 0]
    assert numbers(file, capsys, *words, "--metric", "anls")[0]["score"] == 0.0
    with pytest.raises(UserError, match="for benchmarks that are not in the table"):
        read_sheets(write(file, [line(1)]), "choice")
    with pytest.raises(SystemExit):
        main([str(file), "--metric", "anls"])
    assert "--matcher, how they are read, is missing" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["score", "rescore"])
def test_no_torch_is_needed(module: str, tmp_path: Path) -> None:
    place = write(tmp_path / "a.jsonl", [line(1)]) if module == "score" else tmp_path
    code = (
        f"import sys; from cambrian.benchmarks.{module} import main; main([{str(place)!r}])\n"
        "print([name for name in ('torch', 'transformers', 'pandas', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
