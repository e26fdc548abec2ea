"""Results of lmms-eval come in: ids matched, counts checked, scored by our rules, read by the analysis."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import table
from analysis.report import __main__ as report
from analysis.results import read_results
from cambrian.benchmarks import rescore
from cambrian.benchmarks.hub.material import HubMaterial, open_hub_material
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB
from cambrian.errors import DataError, UserError
from cambrian.interop.lmms_eval import main, read_axes
from cambrian.interop.lmms_samples import read_samples
from cambrian.interop.lmms_tasks import TASKS
from cambrian.runtime import Runtime
from cambrian.sweep.__main__ import main as sweep

Write = Callable[[str, Sequence[dict[str, Any]]], Path]
AXES = ["encoder=clip+dinov2", "supervision=language+self", "connector=mlp", "adapter=0.5M"]
AXES += ["vision=frozen", "instruct=665k", "llm=vicuna_7b"]


@pytest.fixture
def words(tmp_path: Path, data: Path) -> list[str]:
    return ["--store", str(tmp_path / "lab"), "--data", str(data), "--axes", *AXES]


def material(name: str, data: Path, store: Path) -> HubMaterial:
    content = fingerprint(data / "benchmarks" / name)
    return open_hub_material(HUB[name], Runtime(store=store, data=data), content=content, n=0, seed=0)


def sample(document: int, raw: str, target: str, **more: Any) -> dict[str, Any]:
    return {"doc_id": document, "target": target, "filtered_resps": raw, "input": "What?", "score": 1, **more}


def right(name: str, data: Path, store: Path) -> list[dict[str, Any]]:
    """Samples that answer every record rightly; those that are no questions of ours are there as well."""
    found = material(name, data, store)
    answers = {one.id: one.answer for one in found.questions}
    said = [answers.get(found.numbers.get(number, ""), "Yes") for number in range(found.records)]
    return [sample(number, answer, answer) for number, answer in enumerate(said)]


def manifests(store: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((store / "evaluate").glob("*/manifest.json"))]


def test_every_task_names_a_benchmark() -> None:
    assert {task.benchmark for task in TASKS.values()} <= set(HUB)
    assert [name for name, task in TASKS.items() if name != task.name] == []
    assert main(["tasks"]) == 0


def test_answers_are_scored_by_our_rules_and_theirs_kept(
    tmp_path: Path, data: Path, write: Write, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = right("mme_p", data, tmp_path / "cache")
    asked = len(material("mme_p", data, tmp_path / "cache").questions)
    assert len(rows) == asked + 2
    # Their filter has made `yes` of it; ours reads what was said.
    rows[0] |= {"resps": [["I think the answer is: Yes."]], "filtered_resps": ["yes"]}
    theirs = {"alias": "mme", "mme_perception_score,none": 400.0, "mme_perception_score_stderr,none": "N/A"}
    results = tmp_path / "20261129_101112_results.json"
    counts = {"mme": {"original": len(rows), "effective": len(rows)}}
    results.write_text(json.dumps({"results": {"mme": theirs}, "n-samples": counts}))
    assert main(["import", str(write("mme", rows)), str(results), *words]) == 0
    said = capsys.readouterr().out
    assert f"mme -> mme_p: 400.00 [8.31, 400.00], n {asked}, PARTIAL: of 2,114 questions, 2 samples" in said
    assert f"{asked} targets compared\n  theirs.mme_perception_score 400\n" in said
    (manifest,) = manifests(tmp_path / "lab")
    assert manifest["metrics"]["theirs.mme_perception_score"] == 400.0
    assert "blind" not in manifest["metrics"]
    assert manifest["provenance"]["imported"] == "lmms-eval"
    assert manifest["provenance"]["file"] == "20261129_101112_samples_mme.jsonl"


def test_the_analysis_reads_it_and_rescoring_agrees(
    tmp_path: Path, data: Path, write: Write, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for task, name in (("ai2d", "ai2d"), ("scienceqa_img", "sqa_i")):
        found = material(name, data, tmp_path / "cache")
        rows = [sample(number, one.answer, one.answer) for number, one in enumerate(found.questions)]
        assert main(["import", str(write(task, rows)), *words]) == 0
    store = tmp_path / "lab"
    results = read_results(store)
    assert (results.problems, list(results.frame["benchmark"])) == ((), ["ai2d", "sqa_i"])
    assert results.frame["run"].nunique() == 1, "the same axes are the same model"
    assert (results.frame["score"] == 100).all()
    assert results.frame["blind"].isna().all()
    assert table.main(["--store", str(store), "--csv", str(tmp_path / "points.csv")]) == 0
    points = pd.read_csv(tmp_path / "points.csv").set_index("category").loc["knowledge"]
    assert (points["score"], points["encoder"], points["supervision"]) == (100, "clip+dinov2", "mixed")
    assert pd.isna(points["blind"])
    assert pd.isna(points["vision_gain"])
    assert points["partial"].startswith("ai2d: ")
    capsys.readouterr()
    assert rescore.main([str(store)]) == 0
    assert capsys.readouterr().out.count("  same\n") == 2
    assert report.main(["--store", str(store), "--out", str(tmp_path / "report.html")]) == 0
    written = (tmp_path / "report.html").read_text()
    assert '"blind":[null,null]' in written
    assert not re.search(r"[\[,:]NaN", written), "no number of JSON"
    assert sweep(["gc", "--store", str(store)]) == 0
    assert len(manifests(store)) == 2, "an imported result needs no model in the store"


def test_importing_twice_is_importing_once(
    tmp_path: Path, data: Path, write: Write, words: list[str]
) -> None:
    path = write("chartqa", right("chartqa", data, tmp_path / "cache"))
    for _ in range(2):
        assert main(["import", str(path), *words]) == 0
    assert len(manifests(tmp_path / "lab")) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: [*rows, rows[0]], "1 documents more than once: 0"),
        (lambda rows: [*rows, sample(99, "x", "x")], "1 documents not among the 4 of "),
        (
            lambda rows: [{**rows[1], "doc_id": 0}, *rows[1:]],
            "1 of 4 targets are not the answers",
        ),
        (lambda rows: [sample(0, "14", "14")], "has 1 samples, and the results file speaks of 4"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, data: Path, write: Write, words: list[str], change: Any, reason: str
) -> None:
    rows = right("chartqa", data, tmp_path / "cache")
    changed = change(rows)
    results = tmp_path / "results.json"
    count = 4 if len(changed) < 4 else len(changed)
    counts = {"chartqa": {"effective": count}}
    results.write_text(json.dumps({"results": {"chartqa": {}}, "n-samples": counts}))
    with pytest.raises(UserError, match=reason):
        main(["import", str(write("chartqa", changed)), str(results), *words])
    assert not (tmp_path / "lab" / "evaluate").exists()


def test_every_bad_line_is_named(write: Write) -> None:
    path = write(
        "ai2d",
        [
            sample(0, "A", "A"),
            {"target": "A", "resps": "A"},
            sample(1, "A", "A", resps=[["A", "B"]]),
            sample(2, "A", "A", resps=[[-1.5, True]]),
        ],
    )
    with path.open("a") as file:
        file.write("{\n")
    with pytest.raises(DataError) as raised:
        read_samples(path)
    said = str(raised.value)
    assert "line 2: 'doc_id' must be a whole number, got None" in said
    assert 'line 3: not one answer in words but ["A", "B"]' in said
    assert "line 4: not one answer in words but [-1.5, true]" in said
    assert "line 5: not JSON" in said


def test_unknown_tasks_and_names(write: Write, words: list[str]) -> None:
    with pytest.raises(UserError, match="unknown task of lmms-eval 'mme2'; did you mean 'mme'"):
        main(["import", str(write("mme2", [])), *words])
    with pytest.raises(UserError, match="is not called DATE_samples_TASK"):
        main(["import", "answers.jsonl", *words])


def test_all_faults_of_the_axes_at_once() -> None:
    with pytest.raises(UserError) as raised:
        read_axes(["encoder=clip", "supervision=langage", "sed=1", "seed=x", "llm"])
    said = str(raised.value)
    for fault in (
        "unknown axis 'sed'; did you mean 'seed'?",
        "'llm' is not AXIS=VALUE",
        "connector is missing",
        "seed must be a whole number, got 'x'",
        "unknown supervision 'langage'; did you mean 'language'?",
    ):
        assert fault in said
    assert read_axes(AXES)["encoder"] == ["clip", "dinov2"]
