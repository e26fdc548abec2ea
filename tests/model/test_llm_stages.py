"""A pretrained LLM through all stages, in the lab's world: taken in, aligned, tuned, asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_llms import FAMILIES, write_llm

from cambrian.config import read_study
from cambrian.hub import llm_sizes, read_config
from cambrian.local_weights import checksums, fingerprint
from cambrian.recipe import Language
from cambrian.runtime import SHIPPED, Runtime, SilentTracker
from cambrian.stages import language as language_module
from cambrian.stages.base import Artifact, Stage, StageContext
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage, language_stage
from cambrian.sweep.produce import produce
from cambrian.sweep.store import Store
from cambrian.workers import Dismissed, Workers

WORDS = (
    "encoder=siglip",
    "connector=concat",
    "adapter.examples.lab=32",
    "instruct.examples.lab=32",
    "benchmarks.lab.include=[lab_count]",
    "benchmarks.lab.questions=4",
)


def stages_with(language: Stage) -> list[Stage]:
    """The stages of a short run in the lab, with another LLM."""
    (recipe,) = read_study(expand(WORDS)).recipes
    lineage = Lineage()
    lineage.run(recipe)
    stages, digests = [language], {}
    for old, stage in lineage.stages.items():
        if stage.kind == "language":
            digests[old] = language.digest
            continue
        inputs = {role: digests[digest] for role, digest in stage.inputs.items()}
        stages.append(replace(stage, inputs=inputs))
        digests[old] = stages[-1].digest
    return stages


def chosen(source: Path, name: str) -> Language:
    config = read_config(str(source), "")
    assert config is not None
    return Language(
        name="mine",
        model="mine",
        architecture=llm_sizes(config),
        mixture={},
        optimization={},
        template=FAMILIES[name].template,
        content=fingerprint(source),
        directory=str(source),
    )


@pytest.mark.parametrize("name", ["vicuna", "qwen2"])
def test_a_pretrained_llm_goes_through_all_stages(tmp_path: Path, name: str) -> None:
    llm = chosen(write_llm(tmp_path / "source", name, hidden_size=96), name)
    runtime = Runtime(store=tmp_path / "store", micro_batch=8, copies={llm.content: llm.directory})
    store = Store(runtime.store, shipped=(SHIPPED,))
    made: Mapping[str, Artifact] = {
        stage.kind: produce(stage, store, runtime, lambda stage: SilentTracker())
        for stage in stages_with(language_stage(llm, {}))
    }
    assert list(made) == ["language", "encoder", "align", "tune", "evaluate"]
    source = made["language"].manifest["provenance"]["source"]
    assert source["directory"] == llm.directory
    assert source["files"] == checksums(Path(llm.directory))
    assert "directory" not in made["language"].manifest["recipe"]
    described = json.loads((made["tune"].path / "model.json").read_text())
    assert described["template"] == FAMILIES[name].template
    assert (made["tune"].path / "language" / "model.safetensors").is_file()
    assert not (made["align"].path / "language").exists()
    assert 0 <= made["evaluate"].metrics["score"] <= 100


def test_of_several_workers_one_takes_the_llm_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_module, "current_workers", lambda device: Workers(rank=1, count=2))
    context = StageContext(
        payload=tmp_path,
        workdir=tmp_path,
        runtime=Runtime(store=tmp_path),
        tracker=SilentTracker(),
        progress=lambda done, total: None,
    )
    with pytest.raises(Dismissed):
        language_module.run({"model": "acme/tiny", "revision": "main"}, {}, context)
    assert list(tmp_path.iterdir()) == []
