"""A mixture of sources in four forms goes through training with real, tiny parts."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, Image, Value

from cambrian.config import read_study
from cambrian.data.doctor import Wishes, examine
from cambrian.runtime import SilentTracker
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.produce import produce
from cambrian.sweep.store import Store
from tests.real.parts import write_parts


def spread(data: Path) -> None:
    """Make the sources of 737k of the captions and conversations: JSONL, JSON, shards, Arrow files."""
    captions = [json.loads(line) for line in (data / "captions.jsonl").read_text().splitlines()]
    (data / "captions.jsonl").rename(data / "llava_665k.jsonl")
    (data / "conversations.json").rename(data / "ai2d.json")
    (data / "docvqa").mkdir()
    with tarfile.open(data / "docvqa" / "docvqa-0.tar", "w") as archive:
        for number, row in enumerate(captions[:6]):
            image = (data / row.pop("image")).read_bytes()
            for name, content in (("json", json.dumps(row).encode()), ("png", image)):
                member = tarfile.TarInfo(f"{number}.{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    turn = {"from": Value("string"), "value": Value("string")}
    columns: dict[str, Any] = {
        name: [row[name] for row in captions[6:12]] for name in ("id", "conversations")
    }
    columns["image"] = [{"bytes": (data / row["image"]).read_bytes(), "path": None} for row in captions[6:12]]
    features = Features({"id": Value("string"), "conversations": [turn], "image": Image()})
    Dataset.from_dict(columns, features=features).save_to_disk(data / "dvqa")


@pytest.mark.slow
def test_sources_of_all_forms_are_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_parts(tmp_path)
    spread(tmp_path / "data")
    words = ["scale=paper", "adapter=0M", "instruct=737k", "connector=concat", "scale.context=512"]
    words += [
        "encoder=timm",
        f"encoder.model={tmp_path / 'encoder'}",
        "llm=hf",
        f"llm.model={tmp_path / 'llm'}",
    ]
    words += ["llm.template=qwen2_5", f"data={tmp_path / 'data'}", f"store={tmp_path / 'store'}"]
    study = read_study(expand([*words, "scale.tune.batch_size=8", "runtime.micro_batch=4"]))
    lineage = Lineage()
    lineage.run(study.recipes[0])
    training = [stage for stage in lineage.stages.values() if stage.kind != "evaluate"]
    store = Store(tmp_path / "store")
    made = {
        stage.kind: produce(stage, store, study.runtime, lambda stage: SilentTracker()) for stage in training
    }
    assert made["tune"].metrics["examples"] == 24 + 32 + 6 + 6
    assert made["tune"].metrics["loss"] < made["tune"].metrics["loss_first"]
    for form in ("docvqa", "dvqa"):
        report = examine(tmp_path / "data" / form, Wishes(against=tmp_path / "data" / "pictures")).report
        assert (report["rows"], report["usable"], report["faults"]) == (6, 6, [])
        assert report["shares"]["distinct_images"] == 6
        assert len(report["overlap"]["images"]) == 6
