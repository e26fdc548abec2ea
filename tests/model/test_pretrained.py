"""What is refused when a pretrained LLM is taken into the store, and how a hub's model is found."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from tiny_llms import FAMILIES, family_tokenizer, write_llm
from transformers import Gemma2Config, GPT2Config, GPT2LMHeadModel

from cambrian.errors import UserError
from cambrian.hub import llm_sizes, read_config
from cambrian.local_weights import checksums, fingerprint
from cambrian.model import pretrained
from cambrian.model.pretrained import import_language, read_pretrained
from cambrian.runtime import Runtime, SilentTracker
from cambrian.stages.base import StageContext
from cambrian.stages.language import run

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def recipe_of(source: Path, name: str, **changes: Any) -> dict[str, Any]:
    config = read_config(str(source), "")
    assert config is not None
    return {
        "content": fingerprint(source),
        "template": FAMILIES[name].template,
        "architecture": llm_sizes(config),
        **changes,
    }


def bring_in(source: Path, recipe: dict[str, Any], payload: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    payload.mkdir(exist_ok=True)
    return import_language(recipe, payload, copies={recipe["content"]: str(source)}, download=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_llm(tmp_path / "source", "qwen2")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_into(hub: Path, source: Path, model: str) -> Path:
    place = hub / f"models--{model.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(source, place / "snapshots" / COMMIT))


def test_the_source_is_on_record(source: Path, tmp_path: Path) -> None:
    metrics, facts = bring_in(source, recipe_of(source, "qwen2"), tmp_path / "payload")
    assert facts == {"source": {"directory": str(source), "files": checksums(source)}}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= facts["source"]["files"].keys()
    assert metrics["tokens"] == len(family_tokenizer("qwen2"))
    assert metrics["parameters"] == sum(p.numel() for p in read_pretrained(source).llm.parameters())


def test_the_content_is_the_identity_and_not_the_place(source: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(source, tmp_path / "elsewhere"))
    assert fingerprint(moved) == fingerprint(source)
    (moved / "README.md").write_text("says nothing about the model")
    assert fingerprint(moved) == fingerprint(source)
    weights = bytearray((moved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (moved / "model.safetensors").write_bytes(weights)
    assert fingerprint(moved) != fingerprint(source)


def test_a_directory_that_changed_since_the_plan_is_refused(source: Path, tmp_path: Path) -> None:
    recipe = recipe_of(source, "qwen2")
    (source / "generation_config.json").write_text("{}")
    with pytest.raises(UserError, match="has changed since this was planned"):
        bring_in(source, recipe, tmp_path / "payload")
    with pytest.raises(UserError, match=r"lies is not known here; name its directory as llm\.model"):
        import_language(recipe, tmp_path, copies={}, download=False)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_weights_keep_their_type_unless_another_is_asked_for(tmp_path: Path, dtype: str) -> None:
    source = write_llm(tmp_path / "source", "llama3", dtype=getattr(torch, dtype))
    assert read_pretrained(source).llm.dtype is getattr(torch, dtype)
    assert read_pretrained(source, "float32").llm.dtype is torch.float32


def test_pickled_weights_are_not_read(source: Path) -> None:
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pickles such as pytorch_model\.bin are not read"):
        read_pretrained(source)


def test_code_that_lies_with_a_model_is_not_run(source: Path) -> None:
    settings = json.loads((source / "config.json").read_text())
    settings |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"},
    }
    (source / "config.json").write_text(json.dumps(settings))
    (source / "own.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(UserError, match="transformers cannot read the LLM"):
        read_pretrained(source)


def test_a_tokenizer_that_needs_a_package_says_so(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "tokenizer.json").rename(source / "tokenizer.model")
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"tokenizer\.model alone.*pip install sentencepiece"):
        read_pretrained(source)


def test_missing_weights_are_named(source: Path) -> None:
    settings = json.loads((source / "config.json").read_text())
    settings["num_hidden_layers"] = 4
    settings["layer_types"] = settings.get("layer_types", ["full_attention"])[:1] * 4
    (source / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match=r"weights are missing or of another shape, such as model\.layers\.3"):
        read_pretrained(source)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    source = write_llm(tmp_path / "source", "llama3", vocab_size=300)
    with pytest.raises(UserError, match="the LLM only 300 embeddings"):
        read_pretrained(source)


def test_an_llm_without_a_list_of_layers_is_refused(tmp_path: Path) -> None:
    family_tokenizer("qwen2").save_pretrained(tmp_path)
    GPT2LMHeadModel(GPT2Config(vocab_size=512, n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="GPT2LMHeadModel has no list of decoder layers"):
        read_pretrained(tmp_path)
    config = read_config(str(tmp_path), "")
    assert config is not None
    with pytest.raises(UserError, match="type 'gpt2' without num_hidden_layers, hidden_size"):
        llm_sizes(config)


def test_an_llm_that_caps_its_logits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capped = replace(
        FAMILIES["gemma"],
        config=lambda **sizes: Gemma2Config(**sizes, head_dim=16, final_logit_softcapping=3.0),
    )
    monkeypatch.setitem(FAMILIES, "gemma", capped)
    source = write_llm(tmp_path / "source", "gemma")
    with pytest.raises(UserError, match=r"Gemma2ForCausalLM .* changes the logits after its head"):
        bring_in(source, recipe_of(source, "gemma"), tmp_path / "payload")


def test_another_architecture_than_the_planned_one_is_refused(source: Path, tmp_path: Path) -> None:
    recipe = recipe_of(source, "qwen2")
    recipe["architecture"] = {**recipe["architecture"], "layers": 24}
    with pytest.raises(UserError, match=r"is not the planned architecture .*: layers is 3"):
        bring_in(source, recipe, tmp_path / "payload")
    with pytest.raises(UserError, match=r"lacks '<\|eot_id\|>', the end token of template 'llama_3'"):
        bring_in(source, recipe_of(source, "qwen2", template="llama_3"), tmp_path / "payload")


def test_the_stage_takes_a_model_from_the_hubs_cache(source: Path, hub: Path, tmp_path: Path) -> None:
    files = put_into(hub, source, "acme/tiny")
    recipe = recipe_of(source, "qwen2", model="acme/tiny", revision="main")
    del recipe["content"]
    payload, facts = tmp_path / "payload", {}
    payload.mkdir()
    context = StageContext(
        payload=payload,
        workdir=tmp_path,
        runtime=Runtime(store=tmp_path),
        tracker=SilentTracker(),
        progress=lambda done, total: None,
        note=facts.update,
    )
    run(recipe, {}, context)
    assert facts["source"] | {"files": {}} == {
        "model": "acme/tiny",
        "revision": "main",
        "commit": COMMIT,
        "files": {},
    }
    assert facts["source"]["files"] == checksums(files)
    assert (payload / "model.safetensors").is_file()


def test_what_the_cache_lacks_is_asked_for(source: Path, hub: Path, tmp_path: Path) -> None:
    recipe = recipe_of(source, "qwen2", model="acme/tiny", revision="main")
    del recipe["content"]
    with pytest.raises(UserError, match=r"acme/tiny \(revision main\).*runtime\.download=true fetches it"):
        import_language(recipe, tmp_path, copies={}, download=False)
    (put_into(hub, source, "acme/tiny") / "model.safetensors").unlink()
    with pytest.raises(UserError, match="is not whole in Hugging Face's cache"):
        import_language(recipe, tmp_path, copies={}, download=False)
