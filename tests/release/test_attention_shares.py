"""Shares of SVA's attention, measured of a finished model in a store and shown as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hub_fixtures import write_benchmark
from small_models import fill, publish
from tiny_multimodal import CONCAT

from analysis.table_attention import main as show
from cambrian.benchmarks.attention import OnePerPicture, main, measure
from cambrian.benchmarks.hub.places import fingerprint
from cambrian.benchmarks.hub.rows import HUB
from cambrian.benchmarks.material import open_material
from cambrian.connectors.attention_share import watch_attention
from cambrian.errors import UserError
from cambrian.runtime import Runtime
from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.store import Store


def write_data(folder: Path) -> tuple[Runtime, dict[str, Any]]:
    """A tiny benchmark in `folder`, and the recipe of an evaluation on it."""
    place = folder / "benchmarks" / "ai2d"
    write_benchmark(place, "ai2d", HUB["ai2d"].data.split)
    row = HUB["ai2d"].recipe(fingerprint(place))
    return Runtime(store=folder / "store", data=folder), {"benchmark": row, "questions": 0, "seed": 0}


def evaluated(store: Store, tuned: Artifact, recipe: dict[str, Any]) -> None:
    stage = Stage(
        kind="evaluate",
        recipe=recipe,
        inputs={"model": tuned.digest},
        label="evaluate counting",
        axes={"scale": "lab"},
    )
    publish(store, stage, lambda payload: None)


def test_shares_are_those_of_one_look_at_every_picture(parts: Path, tmp_path: Path) -> None:
    runtime, recipe = write_data(tmp_path)
    store = Store(runtime.store)
    tuned, model = fill(store, parts)
    evaluated(store, tuned, recipe)
    report = measure(tuned.digest, ["ai2d"], store, runtime, most=0)
    measured = report["benchmarks"]["ai2d"]
    material = open_material(recipe, runtime)
    names = list(dict.fromkeys(question.image for question in material.questions))
    assert measured["images"] == len(names)
    shown = material.show(names, model.views)
    pictures = {view: torch.from_numpy(array) for view, array in shown.pictures.items()}
    with torch.no_grad(), watch_attention(model.connector.samplers) as meter:
        model.see(pictures, None)
    alone = [100 * share for share in meter.shares()]
    assert measured["shares"] != pytest.approx(alone), "layers inside the LLM count, too"
    assert sum(measured["shares"]) == pytest.approx(100)
    assert all(0 < share < 100 for share in measured["shares"])
    assert report["encoders"] == ["vit", "convnet"]
    few = measure(tuned.digest, ["ai2d"], store, runtime, most=2)
    assert few["benchmarks"]["ai2d"]["images"] == 2


def test_one_question_about_each_picture(tmp_path: Path) -> None:
    runtime, recipe = write_data(tmp_path)
    material = OnePerPicture(whole=open_material(recipe, runtime), most=0)
    images = [question.image for question in material.questions]
    assert len(images) == len(set(images)) == len({question.image for question in material.whole.questions})


def test_what_cannot_be_measured_is_said(parts: Path, tmp_path: Path) -> None:
    runtime, recipe = write_data(tmp_path)
    store = Store(runtime.store)
    tuned, _ = fill(store, parts)
    with pytest.raises(UserError, match="was not evaluated on ai2d; it was on: nothing"):
        measure(tuned.digest, ["ai2d"], store, runtime, most=0)
    plain, _ = fill(store, parts, recipe=CONCAT)
    evaluated(store, plain, recipe)
    with pytest.raises(UserError, match="has no SVA"):
        measure(plain.digest, ["ai2d"], store, runtime, most=0)


def test_from_the_command_to_the_table(
    parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime, recipe = write_data(tmp_path)
    store = Store(runtime.store)
    tuned, _ = fill(store, parts)
    evaluated(store, tuned, recipe)
    places = ["--store", str(store.root), "--data", str(tmp_path)]
    assert main([tuned.digest, "ai2d", *places, "--images", "2"]) == 0
    file = tmp_path / "shares.json"
    file.write_text(capsys.readouterr().out)
    assert show(["--measured", str(file), "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "table_attention.csv")
    assert list(table["encoder"]) == ["vit", "convnet"]
    assert table["score"].sum() == pytest.approx(100)
    assert "own results, scale lab" in capsys.readouterr().out
    file.write_text(json.dumps({**json.loads(file.read_text()), "encoders": ["vit"]}))
    assert show(["--measured", str(file), "--out", str(tmp_path)]) == 2
    assert "2 shares of 1 encoders" in capsys.readouterr().err


def test_published_shares_are_those_that_are_printed(tmp_path: Path) -> None:
    assert show(["--published", "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "table_attention.csv")
    shares = table.set_index(["encoder", "column"])["score"]
    assert shares["ConvNeXt", "docvqa"] == 44.5
    for _, part in table.groupby("column"):
        assert part["score"].sum() == pytest.approx(100, abs=0.11)
