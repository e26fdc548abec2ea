"""The stage on a benchmark of the hub with a real, tiny model; and pictures that cannot be shown."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, Features
from hub_fixtures import TABLES, write_benchmark
from hub_table import png

from cambrian.benchmarks import material as material_module
from cambrian.benchmarks.authors import AUTHORS
from cambrian.benchmarks.hub import material as hub_material
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB, UNSCORED
from cambrian.benchmarks.material import blocks
from cambrian.benchmarks.records import Prediction, Question, read_predictions
from cambrian.benchmarks.rescore import rescore
from cambrian.benchmarks.units import UNITS_FILE, read_units, score_of
from cambrian.data.pictures import View, prepare
from cambrian.errors import UserError
from cambrian.model.assembly import assemble, save_trained
from cambrian.preemption import Preempted
from cambrian.runtime import Runtime, SilentTracker
from cambrian.stages import evaluate
from cambrian.stages.base import Artifact, StageContext
from tests.model.tiny_multimodal import CONCAT, SVA, write_parts

BENCHMARKS = ("gqa", "ai2d")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and a folder of data sets."""
    root = tmp_path_factory.mktemp("evaluation")
    write_parts(root)
    for name, recipe in (("concat", CONCAT), ("sva", SVA)):
        parts = {"encoder_dirs": [root / "vit", root / "convnet"], "language_dir": root / "language"}
        model = assemble(**parts, connector_recipe=recipe, template="lab", seed=0)
        torch.manual_seed(1)
        for parameter in model.connector.parameters():
            parameter.data.normal_()  # so that what is shown matters
        (root / name).mkdir()
        save_trained(model, root / name)
    for name in BENCHMARKS:
        write_benchmark(root / "data" / "benchmarks" / name, name, HUB[name].data.split)
    return root


def inputs(root: Path, model: str) -> dict[str, Artifact]:
    roles = {"encoder.0": "vit", "encoder.1": "convnet", "model": model}
    return {
        role: Artifact(digest=name, path=root / name, manifest={"files": checksums(root / name)})
        for role, name in roles.items()
    }


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def context(tmp_path: Path, root: Path, name: str, **more: Any) -> StageContext:
    payload = tmp_path / name
    payload.mkdir()
    runtime = Runtime(
        store=more.pop("store", payload / "store"),
        data=more.pop("data", root / "data"),
        micro_batch=more.pop("batch", 0),
    )
    settings: dict[str, Any] = {"progress": lambda done, total: None, **more}
    return StageContext(
        payload=payload, workdir=tmp_path, runtime=runtime, tracker=SilentTracker(), **settings
    )


def recipe(name: str, data: Path, **more: Any) -> dict[str, Any]:
    row = {**HUB, **UNSCORED}[name].recipe(fingerprint(data / "benchmarks" / name))
    return {"benchmark": {**row, "max_new_tokens": 6}, "questions": 0, "seed": 0, **more}


def run(
    tmp_path: Path,
    root: Path,
    name: str,
    model: str,
    benchmark: str,
    **more: Any,
) -> tuple[Mapping[str, Any], list[Prediction]]:
    place = context(tmp_path, root, name, **more)
    assert place.runtime.data is not None
    metrics = evaluate.run(recipe(benchmark, place.runtime.data), inputs(root, model), place)
    if "score" in metrics:
        assert score_of(read_units(place.payload / UNITS_FILE)) == pytest.approx(metrics["score"], abs=1e-4)
    return metrics, read_predictions(place.payload / "predictions.jsonl")


@pytest.mark.parametrize("benchmark", BENCHMARKS)
@pytest.mark.parametrize("model", ["concat", "sva"])
def test_answers_do_not_depend_on_batches_or_blocks(
    root: Path, tmp_path: Path, model: str, benchmark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, said = run(tmp_path, root, "whole", model, benchmark)
    assert {one.vision for one in said} == {True, False}
    assert len(said) == 2 * metrics["n"]
    assert len({one.raw for one in said}) > 1
    for size in (1, 2):
        assert run(tmp_path, root, f"batch {size}", model, benchmark, batch=size)[1] == said
    monkeypatch.setattr(material_module, "BLOCK_BYTES", 1)
    assert run(tmp_path, root, "blocks of one picture", model, benchmark)[1] == said


def test_progress(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material_module, "BLOCK_BYTES", 1)
    told: list[tuple[int, int]] = []
    more: dict[str, Any] = {"batch": 1, "progress": lambda done, total: told.append((done, total))}
    run(tmp_path, root, "told", "concat", "ai2d", **more)
    assert told == [(done, 8) for done in range(1, 9)]
    told.clear()
    run(tmp_path, root, "equal without picture", "concat", "gqa", **more)
    assert told[-1] == (6, 6)
    assert len(told) < 6, "an equal question was asked twice"


def test_what_was_answered_before_is_not_asked_again(root: Path, tmp_path: Path) -> None:
    """Preempted, a row that changed, shorter answers, other weights."""
    facts: dict[str, Any] = {}
    more: dict[str, Any] = {"batch": 1, "store": tmp_path / "store", "note": facts.update}
    with pytest.raises(Preempted, match="left after 4 of 8 answers"):
        stopping = iter([False, False, False, True]).__next__
        run(tmp_path, root, "stopped", "concat", "ai2d", **more, stopping=stopping)
    told: list[tuple[int, int]] = []
    progress = {"progress": lambda done, total: told.append((done, total))}
    _, said = run(tmp_path, root, "resumed", "concat", "ai2d", **more, **progress)
    assert (facts["answers_given"], facts["answers_spared"]) == (4, 4)
    assert told == [(4, 8), (5, 8), (6, 8), (7, 8), (8, 8)]
    assert said == run(tmp_path, root, "anew", "concat", "ai2d")[1]
    place = context(tmp_path, root, "another row", **more)
    changed = recipe("ai2d", root / "data")
    changed["benchmark"]["cluster"] = "item"
    evaluate.run(changed, inputs(root, "concat"), place)
    assert (facts["answers_given"], facts["answers_spared"]) == (0, 8)
    changed["benchmark"]["max_new_tokens"] = 2
    evaluate.run(changed, inputs(root, "concat"), context(tmp_path, root, "shorter", **more))
    assert (facts["answers_given"], facts["answers_spared"]) == (8, 0)
    run(tmp_path, root, "other weights", "sva", "ai2d", **more)
    assert (facts["answers_given"], facts["answers_spared"]) == (8, 0)


def test_an_overwritten_checkpoint_or_picture_is_asked_again(root: Path, tmp_path: Path) -> None:
    facts: dict[str, Any] = {}
    more: dict[str, Any] = {"store": tmp_path / "store", "note": facts.update}
    for name in ("vit", "convnet", "language", "concat"):
        shutil.copytree(root / name, tmp_path / "models" / name)
    first = run(tmp_path, tmp_path / "models", "first", "concat", "ai2d", data=root / "data", **more)[1]
    weights = tmp_path / "models" / "concat" / "connector.safetensors"
    shutil.copy(root / "sva" / "model.json", tmp_path / "models" / "concat" / "model.json")
    shutil.copy(root / "sva" / "connector.safetensors", weights)
    second = run(tmp_path, tmp_path / "models", "second", "concat", "ai2d", data=root / "data", **more)[1]
    assert (facts["answers_given"], facts["answers_spared"]) == (8, 0)
    assert [one.raw for one in first] != [one.raw for one in second]
    assert second == run(tmp_path, root, "sva itself", "sva", "ai2d")[1]

    def negative(*given: Any) -> Any:
        shown = prepare(*given)
        return {view: 255 - pixels for view, pixels in shown.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub_material, "prepare", negative)
        run(tmp_path, tmp_path / "models", "third", "concat", "ai2d", data=root / "data", **more)
    assert (facts["answers_given"], facts["answers_spared"]) == (4, 4), "the blind ones are as they were"


def test_by_likelihood_a_tokenizer_without_letters_is_told(root: Path, tmp_path: Path) -> None:
    chosen = {**recipe("ai2d", root / "data"), "answering": "likelihood"}
    with pytest.raises(UserError, match="let this model generate its answers"):
        evaluate.run(chosen, inputs(root, "concat"), context(tmp_path, root, "payload"))


def write_damaged(data: Path) -> None:
    """AI2D, in which one picture of two questions is cut off and another is missing."""
    (table,) = TABLES["ai2d"]()
    rows = [dict(row) for row in table.rows]
    for row in rows[:2]:
        row["image"] = {"bytes": png(0)[:45], "path": "cut.png"}
    rows[2]["image"] = None
    folder = data / "benchmarks" / "ai2d"
    folder.mkdir(parents=True)
    Dataset.from_list(rows, features=Features(table.features)).to_parquet(folder / "test.parquet")


def test_pictures_that_cannot_be_shown(root: Path, tmp_path: Path) -> None:
    write_damaged(tmp_path / "data")
    facts: dict[str, Any] = {}
    metrics, said = run(
        tmp_path, root, "damaged", "concat", "ai2d", data=tmp_path / "data", note=facts.update
    )
    assert (metrics["n"], metrics["unanswered"], metrics["total"]) == (4, 3, 3088)
    answered = {one.id: one.raw for one in said if one.vision}
    assert [answered[str(number)] for number in range(3)] == ["", "", ""]
    assert answered["3"]
    assert all(one.raw for one in said if not one.vision), "without pictures all can be asked"
    reasons = json.loads((tmp_path / "damaged" / "unanswered.json").read_text())
    assert sorted(reason.split(":")[0] for reason in reasons.values()) == ["cannot be decoded", "is missing"]
    assert facts.pop("answers_per_second") > 0
    assert facts == {
        "questions_from": str(tmp_path / "data" / "benchmarks" / "ai2d"),
        "answers_given": 5,  # one with its picture, four without
        "answers_spared": 0,
    }
    row = {"recipe": recipe("ai2d", tmp_path / "data"), "metrics": metrics}
    (tmp_path / "damaged" / "manifest.json").write_text(json.dumps(row))
    again = rescore(tmp_path / "damaged").metrics()
    assert {name: metrics[name] for name in again} == again


def test_no_picture_at_all(root: Path, tmp_path: Path) -> None:
    (table,) = TABLES["ai2d"]()
    folder = tmp_path / "data" / "benchmarks" / "ai2d"
    folder.mkdir(parents=True)
    rows = [{**row, "image": None} for row in table.rows]
    Dataset.from_list(rows, features=Features(table.features)).to_parquet(folder / "test.parquet")
    metrics, _ = run(tmp_path, root, "none", "sva", "ai2d", data=tmp_path / "data")
    assert (metrics["unanswered"], metrics["score"], metrics["unparsed"]) == (4, 0.0, 100.0)


def test_blocks_hold_what_fits_and_keep_a_picture_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        Question(id=str(index), image=name, prompt="", answer="", options=())
        for index, name in enumerate("abacbd")
    ]
    views = (View(10, (0, 0, 0)), View(10, (1, 1, 1)))
    monkeypatch.setattr(material_module, "BLOCK_BYTES", 2 * 600)
    assert list(blocks(asked, views)) == [[0, 1, 2, 4], [3, 5]]
    monkeypatch.setattr(material_module, "BLOCK_BYTES", 599)
    assert list(blocks(asked, views)) == [[0, 2], [1, 4], [3], [5]]
    monkeypatch.setattr(material_module, "BLOCK_BYTES", 10_000)
    assert list(blocks(asked, views)) == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("name", [*HUB, *UNSCORED])
def test_every_benchmark_with_a_tiny_model_by_both_protocols(root: Path, tmp_path: Path, name: str) -> None:
    """From a local copy to numbers: sighted and blind, ours and the authors'."""
    row = {**HUB, **UNSCORED}[name]
    write_benchmark(tmp_path / "data" / "benchmarks" / name, name, row.data.split)
    metrics, said = run(tmp_path, root, "asked", "sva", name, data=tmp_path / "data")
    assert {one.vision for one in said} == {True, False}
    assert len(said) == 2 * metrics["n"] > 0
    assert metrics["n"] + metrics["unanswered"] > 0
    if name in UNSCORED:
        assert metrics["unscored"] and "score" not in metrics
        return
    full = 2000 if name == "mme_p" else 100
    assert 0 <= metrics["low"] <= metrics["score"] <= metrics["high"] <= full
    assert 0 <= metrics["blind"] <= full
    assert ("paper_score" in metrics) == (name in AUTHORS)
    manifest = {"recipe": recipe(name, tmp_path / "data"), "metrics": metrics}
    (tmp_path / "asked" / "manifest.json").write_text(json.dumps(manifest))
    assert rescore(tmp_path / "asked").score == metrics["score"]
    if name in AUTHORS:
        assert rescore(tmp_path / "asked", "paper").score == metrics["paper_score"]
