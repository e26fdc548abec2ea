"""Reading a store: nothing is lost without a word, nothing different is averaged together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_store import LAB, fill, manifest, put

from analysis.errors import AnalysisError
from analysis.lines import own_lines
from analysis.results import choose, read_results
from analysis.table import main


def test_one_row_per_run_and_benchmark(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",))
    fill(tmp_path, ("siglip", "dinov2"))
    fill(tmp_path, ("random",))
    results = read_results(tmp_path)
    assert (len(results.frame), results.problems, results.superseded) == (24, (), 0)
    kinds = results.frame.drop_duplicates("encoder").set_index("encoder")["supervision"].to_dict()
    assert kinds == {"siglip": "language", "siglip+dinov2": "mixed", "random": "control"}
    row = results.frame.query("encoder == 'siglip' and benchmark == 'counting'").iloc[0]
    assert (row["score"], row["low"], row["high"], row["blind"], row["chance"], row["n"]) == (
        62,
        56,
        67,
        34,
        25,
        240,
    )


def test_mme_is_divided_by_twenty(tmp_path: Path) -> None:
    numbers = {
        "score": 1500.0,
        "low": 1400.0,
        "high": 1600.0,
        "blind": 800.0,
        "chance": 1000.0,
        "majority": 1000.0,
    }
    put(tmp_path, manifest(("siglip",), "mme_p", "general", metrics=numbers))
    row = read_results(tmp_path).frame.iloc[0]
    assert (row["score"], row["low"], row["high"], row["blind"], row["chance"]) == (
        75.0,
        70.0,
        80.0,
        40.0,
        50.0,
    )


def _without(record: dict[str, Any], part: str, name: str) -> str:
    del record[part][name]
    return json.dumps(record)


def _with(record: dict[str, Any], part: str, name: str, value: object) -> str:
    record[part][name] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda record: json.dumps(record)[:99], "not JSON"),
        (lambda record: "[]", "not a JSON object"),
        (lambda record: json.dumps({**record, "digest": "0" * 64}), "belongs to"),
        (lambda record: _without(record, "metrics", "blind"), "no field 'blind'"),
        (lambda record: _without(record, "axes", "connector"), "no field 'connector'"),
        (lambda record: _with(record, "metrics", "score", float("nan")), "'score' is not a finite number"),
        (lambda record: _with(record, "metrics", "low", 51.0), "not in order"),
        (lambda record: _with(record, "metrics", "total", 239), "more questions asked than there are"),
        (lambda record: _with(record, "metrics", "unanswered", 241), "unanswered than asked"),
        (lambda record: _with(record, "axes", "category", "ocr_charts"), "did you mean 'ocr_chart'"),
        (lambda record: _with(record, "axes", "supervision", ["selv"]), "did you mean 'self'"),
        (lambda record: _with(record, "axes", "encoder", "siglip"), "'encoder' is not a list of texts"),
    ],
)
def test_a_corrupt_manifest_is_listed(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], str], word: str
) -> None:
    put(tmp_path, manifest(benchmark="depth"))
    place = put(tmp_path, manifest(benchmark="counting"))
    (place / "manifest.json").write_text(spoil(manifest(benchmark="counting")))
    results = read_results(tmp_path)
    assert list(results.frame["benchmark"]) == ["depth"]
    (problem,) = results.problems
    assert problem.startswith(f"{place}: ")
    assert word in problem


def test_a_half_written_evaluation_is_listed(tmp_path: Path) -> None:
    (tmp_path / "evaluate" / "ab").mkdir(parents=True)
    assert read_results(tmp_path).problems == (f"{tmp_path}/evaluate/ab: no manifest.json",)


def test_a_newer_evaluation_supersedes(tmp_path: Path) -> None:
    put(tmp_path, manifest(created="2026-01-02T00:00:00+00:00", metrics={"score": 45.0}))
    put(tmp_path, manifest(created="2026-01-03T00:00:00+00:00", metrics={"score": 55.0}))
    results = read_results(tmp_path)
    assert list(results.frame["score"]) == [55.0]
    assert results.superseded == 1


def test_a_line_is_the_mean_of_its_benchmarks(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",))
    (line,) = own_lines(read_results(tmp_path).frame).lines
    assert [point.estimate.score for point in line.points.values()] == [51.0, 55.0, 59.0, 63.0]
    assert line.average is not None
    assert line.average.score == 57.0
    general = line.points["general"]
    assert (general.blind, general.chance) == (28.5, 25.0)
    assert general.estimate.low == pytest.approx(51 - 6 / 2**0.5)
    assert general.estimate.high == pytest.approx(51 + 5 / 2**0.5)


def test_different_sets_of_benchmarks_are_never_averaged_together(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",))
    for benchmark, category in LAB.items():
        if benchmark != "letters":
            put(tmp_path, manifest(("mae",), benchmark, category))
    own = own_lines(read_results(tmp_path).frame)
    lines = {line.label: line for line in own.lines}
    assert set(lines["siglip"].points) == {"general", "knowledge", "ocr_chart", "vision_centric"}
    assert set(lines["mae"].points) == {"general", "knowledge", "vision_centric"}
    assert lines["mae"].average is None
    assert own.notes == ("mae: seed 0 left out of OCR & Chart: not evaluated on letters",)


def test_seeds_share_a_line_and_its_average(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        fill(tmp_path, ("siglip",), score=49.0 + seed, axes={"seed": seed})
    (line,) = own_lines(read_results(tmp_path).frame).lines
    assert line.seeds == (0, 1, 2)
    assert line.points["general"].estimate.score == 51.0
    assert line.average is not None
    assert line.average.score == pytest.approx(57.0)
    # the error of training is common to the categories of a run, so it does not shrink in their average
    assert line.average.score - (line.average.low or 0.0) > 4.3027 / 3**0.5


def test_models_that_differ_in_other_settings_stay_apart(tmp_path: Path) -> None:
    put(tmp_path, manifest(model="a" * 64, metrics={"score": 45.0}))
    put(tmp_path, manifest(model="b" * 64, metrics={"score": 55.0}))
    own = own_lines(read_results(tmp_path).frame)
    assert [line.label for line in own.lines] == ["siglip aaaaaaaa", "siglip bbbbbbbb"]
    assert "2 models differ" in own.notes[0]


def test_labels_name_what_varies(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",), axes={"connector": "sva"})
    fill(tmp_path, ("siglip",), axes={"connector": "concat"})
    own = own_lines(read_results(tmp_path).frame)
    assert [line.label for line in own.lines] == ["siglip concat", "siglip sva"]


def test_paper_means_leave_other_benchmarks_out(tmp_path: Path) -> None:
    for benchmark in ("mmvp", "realworldqa", "cvbench_2d", "cvbench_3d", "blink"):
        put(
            tmp_path, manifest(benchmark=benchmark, metrics={"score": 55.0 if benchmark == "blink" else 50.0})
        )
    own = own_lines(read_results(tmp_path).frame, as_published=True)
    assert own.lines[0].points["vision_centric"].estimate.score == 50.0
    assert "blink" in own.notes[0]


def test_choose(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",), axes={"seed": 0})
    fill(tmp_path, ("siglip",), axes={"seed": 1})
    frame = read_results(tmp_path).frame
    assert set(choose(frame, {"seed": "1", "encoder": "siglip"})["seed"]) == {1}
    with pytest.raises(AnalysisError, match="did you mean 'connector'"):
        choose(frame, {"conector": "sva"})
    with pytest.raises(AnalysisError, match="did you mean 'siglip'"):
        choose(frame, {"encoder": "siglp"})


def test_first_looks_stay_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, ("siglip",), 50.0)
    fill(tmp_path, ("siglip",), 20.0, axes={"proxy": 0.1})
    fill(tmp_path, ("mae",), 30.0, axes={"proxy": 0.3})
    assert set(read_results(tmp_path).frame["proxy"]) == {1.0}
    (line,) = own_lines(read_results(tmp_path).frame).lines
    assert (line.label, len(line.runs)) == ("siglip", 1)
    (look,) = own_lines(read_results(tmp_path, proxy=0.1).frame).lines
    assert look.label == "siglip proxy 0.1"
    assert look.runs != line.runs
    assert read_results(tmp_path, proxy=0.2).frame.empty


def test_answers_by_likelihood_stay_out_unless_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, ("siglip",), 50.0)
    run = read_results(tmp_path).frame["run"].iloc[0]
    put(
        tmp_path,
        manifest(axes={"answering": "likelihood"}, metrics={"score": 55.0}, model=run, created="2026-02-01"),
    )
    results = read_results(tmp_path)
    assert (set(results.frame["answering"]), len(results.frame), results.superseded) == ({"generate"}, 8, 0)
    likely = read_results(tmp_path, answering="likelihood").frame
    assert likely["score"].tolist() == [55.0]
    assert main(["--store", str(tmp_path), "--only", "answering=likelihood"]) == 0
    assert "siglip by likelihood" in capsys.readouterr().out
    assert main(["--store", str(tmp_path)]) == 0
    assert "likelihood" not in capsys.readouterr().out


def test_a_table_of_first_looks_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",), 20.0, axes={"proxy": 0.1})
    assert main(["--store", str(tmp_path)]) == 2
    assert f"no results in {tmp_path}" in capsys.readouterr().err
    assert main(["--store", str(tmp_path), "--proxy", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "siglip proxy 0.1" in printed
    assert "First look at 10 % of the data, no result." in printed
    assert main(["--store", str(tmp_path), "--proxy", "0.3"]) == 2
    assert "no first looks at 30 % of the data" in capsys.readouterr().err
