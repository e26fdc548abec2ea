"""Naming any LLM on the command line: what is planned, what it is known by, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cambrian.config import read_study
from cambrian.errors import ConfigError
from cambrian.recipe import Recipe
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import language_stage

PROJECT = Path(__file__).resolve().parent.parent
CONFIG = {
    "model_type": "qwen2",
    "num_hidden_layers": 36,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
SIZES = (
    "{layers: 36, hidden: 64, intermediate: 128, heads: 4, key_value_heads: 2, vocabulary: 300, "
    "positions: 512}"
)


@pytest.fixture
def local(tmp_path: Path) -> Path:
    place = tmp_path / "my-llm"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(CONFIG))
    (place / "model.safetensors").write_bytes(b"weights")
    return place


def read(*words: str) -> tuple[Recipe, ...]:
    return read_study(expand(["scale=paper", "llm=hf", *words])).recipes


def faults(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(*words)
    return "\n".join(caught.value.faults)


def test_a_local_directory_is_known_by_its_content(local: Path, tmp_path: Path) -> None:
    (recipe,) = read(f"llm.model={local}", "llm.template=chatml")
    assert (recipe.llm.name, recipe.axes["llm"]) == ("my-llm", "my-llm")
    stage = language_stage(recipe.llm, {})
    assert stage.recipe["content"] == recipe.llm.content
    assert str(local) not in json.dumps(stage.recipe)
    moved = shutil.copytree(local, tmp_path / "other-name")
    (same,) = read(f"llm.model={moved}", "llm.template=chatml")
    assert language_stage(same.llm, {}).digest == stage.digest
    (written,) = read(f"llm.model={local}", "llm.template=vicuna_v1")
    assert language_stage(written.llm, {}).digest != stage.digest
    (Path(moved) / "model.safetensors").write_bytes(b"Weights")
    changed = shutil.copytree(moved, tmp_path / "third")
    (other,) = read(f"llm.model={changed}", "llm.template=chatml")
    assert language_stage(other.llm, {}).digest != stage.digest


def test_the_stage_is_told_where_the_content_lies(local: Path) -> None:
    study = read_study(expand(["scale=paper", "llm=hf", f"llm.model={local}", "llm.template=chatml"]))
    assert study.runtime.copies == {study.recipes[0].llm.content: str(local)}
    assert read_study(expand([])).runtime.copies == {}


def test_a_named_llm_can_be_a_copy_on_this_machine(local: Path) -> None:
    words = ["scale=paper", "llm=vicuna_7b", f"llm.paper.model={local}"]
    study = read_study(expand(words))
    llm = study.recipes[0].llm
    assert (llm.name, llm.template, llm.architecture["layers"]) == ("vicuna_7b", "vicuna_v1", 32)
    assert study.runtime.copies == {llm.content: str(local)}
    with pytest.raises(ConfigError, match="llm=vicuna_7b: there is no directory"):
        read_study(expand([*words[:2], f"llm.paper.model={local}/none"]))


def plan(tmp_path: Path, *words: str) -> dict[str, Any]:
    script = (
        f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n"
        "from cambrian.sweep.session import run_single\n"
        f"run_single({['scale=paper', 'plan=json', *words]!r})\n"
        "heavy = {'torch', 'numpy', 'pandas', 'transformers', 'timm', 'ray'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {
        **os.environ,
        "CAMBRIAN_STORE": str(tmp_path / "store"),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_any_llm_is_planned_and_priced_without_torch(local: Path, tmp_path: Path) -> None:
    planned = plan(tmp_path, "llm=hf", f"llm.model={local}", "llm.template=chatml")
    assert planned["totals"]["kinds"]["language"]["stages"] == 1
    assert planned["price"]["gpu_hours"] > 0
    place = tmp_path / "hub" / "models--acme--tiny"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("c" * 40)
    shutil.copytree(local, place / "snapshots" / ("c" * 40))
    cached = plan(tmp_path, "llm=hf", "llm.model=acme/tiny", "llm.template=chatml")
    assert cached["price"]["gpu_hours"] == planned["price"]["gpu_hours"]


def test_sizes_can_be_given_for_a_model_that_is_not_here_yet(local: Path) -> None:
    words = ("llm.model=acme/nowhere", "llm.template=chatml")
    text = faults(*words)
    assert "is not in Hugging Face's cache" in text
    assert "hf download acme/nowhere config.json" in text
    (recipe,) = read(*words, f"llm.architecture={SIZES}")
    (same,) = read(f"llm.model={local}", "llm.template=chatml")
    assert recipe.llm.architecture == same.llm.architecture
    assert recipe.llm.name == "acme/nowhere"
    stage = language_stage(recipe.llm, {}).recipe
    assert (stage["model"], stage["revision"]) == ("acme/nowhere", "main")
    (pinned,) = read(*words, f"llm.architecture={SIZES}", "llm.revision=v2")
    assert language_stage(pinned.llm, {}).digest != language_stage(recipe.llm, {}).digest
    assert "must be a whole number" in faults(*words, f"llm.architecture={SIZES.replace('300', 'many')}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "llm=hf: it needs a model and its template, such as llm=hf llm.model=DIRECTORY_OR_ID"),
        (("llm.model=/no/such/place", "llm.template=chatml"), "there is no directory '/no/such/place'"),
        (("llm.model=my-llm", "llm.template=chatml"), "an id of the hub reads ORGANISATION/NAME"),
    ],
)
def test_what_is_missing_is_said(words: tuple[str, ...], message: str) -> None:
    assert message in faults(*words)


def test_a_directory_that_is_no_llm_and_an_unknown_template_are_refused(local: Path) -> None:
    assert "did you mean 'chatml'" in faults(f"llm.model={local}", "llm.template=chatlm")
    (local / "config.json").write_text(json.dumps({**CONFIG, "hidden_size": None}))
    assert "without hidden_size in its config.json" in faults(f"llm.model={local}", "llm.template=chatml")
    (local / "config.json").write_text("{")
    assert "is not JSON" in faults(f"llm.model={local}", "llm.template=chatml")
    (local / "config.json").unlink()
    assert "config.json is missing" in faults(f"llm.model={local}", "llm.template=chatml")


def test_the_lab_has_no_other_llm_than_its_own(local: Path) -> None:
    words = ["llm=hf", f"llm.model={local}", "llm.template=chatml"]
    with pytest.raises(ConfigError, match="llm 'hf' does not exist at scale=lab"):
        read_study(expand(words))
    study = read_study(expand([*words, "unavailable=skip"]))
    assert dict(study.left_out) == {"llm 'hf' does not exist at scale=lab": 1}


@pytest.mark.parametrize(
    ("name", "model", "template"),
    [
        ("vicuna_7b", "lmsys/vicuna-7b-v1.5", "vicuna_v1"),
        ("vicuna_13b", "lmsys/vicuna-13b-v1.5", "vicuna_v1"),
        ("llama3_8b", "meta-llama/Meta-Llama-3-8B-Instruct", "llama_3_cambrian"),
        ("yi_34b", "NousResearch/Nous-Hermes-2-Yi-34B", "chatml_cambrian"),
        ("phi3_4b", "microsoft/Phi-3-mini-4k-instruct", "phi3"),
        ("qwen2_5_0_5b", "Qwen/Qwen2.5-0.5B-Instruct", "qwen2_5"),
        ("smollm2_360m", "HuggingFaceTB/SmolLM2-360M-Instruct", "smollm2"),
    ],
)
def test_every_named_llm_has_its_model_and_template(name: str, model: str, template: str) -> None:
    (recipe,) = read_study(expand(["scale=paper", f"llm={name}"])).recipes
    assert (recipe.llm.model, recipe.llm.template) == (model, template)
    stage = language_stage(recipe.llm, {}).recipe
    assert (stage["model"], stage["revision"], stage["template"]) == (model, "main", template)
