"""A whole model as one directory: it comes back bit for bit, or the message says what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import BARE, fill, logits, make_llava
from tiny_multimodal import CONCAT, SVA

from cambrian.directories import new_directory
from cambrian.errors import UserError
from cambrian.model.mllm import MultimodalLLM
from cambrian.release import directory as module
from cambrian.release import load_model
from cambrian.release.directory import save_model
from cambrian.sweep.store import Store

torch.set_num_threads(1)


def same(one: MultimodalLLM, other: MultimodalLLM) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.fixture
def saved(tmp_path: Path, parts: Path) -> tuple[Path, MultimodalLLM]:
    _, model = fill(Store(tmp_path / "store"), parts)
    place = tmp_path / "saved"
    place.mkdir()
    save_model(model, place, BARE)
    return place, model


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
@pytest.mark.parametrize("vision", ["frozen", "unfrozen"])
def test_a_model_comes_back_bit_for_bit(
    tmp_path: Path, parts: Path, recipe: dict[str, Any], vision: str
) -> None:
    _, model = fill(Store(tmp_path / "store"), parts, recipe=recipe, vision=vision)
    with new_directory(tmp_path / "saved") as place:
        save_model(model, place, BARE)
    state = torch.get_rng_state()
    loaded = load_model(tmp_path / "saved")
    assert torch.equal(torch.get_rng_state(), state)
    assert same(loaded, model)
    assert torch.equal(logits(loaded), logits(model))
    assert not loaded.training
    assert loaded.views == model.views
    assert loaded.chat.template == model.chat.template
    assert str(tmp_path) not in "".join(
        path.read_text() for path in (tmp_path / "saved").iterdir() if path.suffix != ".safetensors"
    )


@pytest.mark.parametrize(
    ("family", "eye"), [("phi3", "clip"), ("qwen2", "timm_siglip"), ("llama3", "siglip")]
)
def test_models_of_pretrained_parts_come_back(tmp_path: Path, family: str, eye: str) -> None:
    model = make_llava(tmp_path, family, eye)
    with new_directory(tmp_path / "saved") as place:
        save_model(model, place, BARE)
    loaded = load_model(str(tmp_path / "saved"))
    assert same(loaded, model)
    assert torch.equal(logits(loaded), logits(model))
    assert loaded.language.tokens == model.language.tokens


def test_an_llm_stays_in_the_type_of_its_files(tmp_path: Path) -> None:
    model = make_llava(tmp_path, "qwen2", "siglip")  # its head is the embeddings
    rounded = {name: tensor.bfloat16().float() for name, tensor in model.llm.state_dict().items()}
    model.llm.load_state_dict(rounded)
    object.__setattr__(model.language, "dtype", torch.bfloat16)
    with new_directory(tmp_path / "saved") as place:
        save_model(model, place, BARE)
    written = load_file(tmp_path / "saved" / "model.safetensors")
    types = {name.split(".")[0]: tensor.dtype for name, tensor in written.items()}
    assert types == {"llm": torch.bfloat16, "connector": torch.float32, "encoders": torch.float32}
    assert len([name for name in written if name.endswith(("lm_head.weight", "embed_tokens.weight"))]) == 1
    loaded = load_model(tmp_path / "saved")
    assert loaded.language.dtype is torch.bfloat16
    assert same(loaded, model)
    assert torch.equal(logits(loaded), logits(model))


def test_large_models_are_written_in_shards(
    tmp_path: Path, parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD", "20KB")
    _, model = fill(Store(tmp_path / "store"), parts)
    place = tmp_path / "saved"
    place.mkdir()
    save_model(model, place, BARE)
    shards = sorted(place.glob("model-*-of-*.safetensors"))
    index = json.loads((place / "model.safetensors.index.json").read_text())
    assert len(shards) > 3
    assert set(index["weight_map"].values()) == {shard.name for shard in shards}
    assert same(load_model(place), model)
    shards[1].unlink()
    with pytest.raises(UserError, match=f"lacks weights: {shards[1].name}"):
        load_model(place)


def test_other_programs_find_how_images_are_wanted(tmp_path: Path) -> None:
    model = make_llava(tmp_path, "vicuna", "clip")
    with new_directory(tmp_path / "saved") as place:
        save_model(model, place, BARE)
    assert json.loads((tmp_path / "saved" / "processor_config.json").read_text()) == {
        "template": "vicuna_v1",
        "encoders": [
            {
                "resolution": 64,
                "padding": [25, 51, 76],
                "resample": "bicubic",
                "mean": [0.1, 0.2, 0.3],
                "std": [0.4, 0.5, 0.6],
            }
        ],
    }


def test_faults_are_named(saved: tuple[Path, MultimodalLLM], tmp_path: Path) -> None:
    place, _ = saved
    with pytest.raises(UserError, match=r"holds no model: config\.json is missing"):
        load_model(tmp_path)
    weights = load_file(place / "model.safetensors")
    cases = {
        "llm.model.norm.weight": "the LLM are missing or do not fit, such as model.norm.weight",
        "connector.newline": "the weights of connector do not fit.*newline",
        "encoders.1.stem.bias": "the weights of encoders do not fit.*1.stem.bias",
        "grid_positions.rows.weight": "the weights of grid_positions do not fit.*rows.weight",
    }
    for name, message in cases.items():
        save_file({key: value for key, value in weights.items() if key != name}, place / "model.safetensors")
        with pytest.raises(UserError, match=message):
            load_model(place)
    save_file({**weights, "other.weight": torch.ones(1)}, place / "model.safetensors")
    with pytest.raises(UserError, match="weights without a place, such as other"):
        load_model(place)
    (place / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"cannot be read.*copy or fetch the model again"):
        load_model(place)
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    with pytest.raises(UserError, match="other formats are not read"):
        load_model(place)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llava"}, "a model of type 'llava', not 'cambrian_sweeps'"),
        ({"format": 2}, "has format 2, this version of the program knows 1"),
    ],
)
def test_other_kinds_of_models_are_refused(
    saved: tuple[Path, MultimodalLLM], change: dict[str, Any], message: str
) -> None:
    path = saved[0] / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message):
        load_model(saved[0])


def test_nothing_is_left_of_what_failed_and_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_directory(tmp_path / "deep" / "new") as place:
        (place / "half").write_text("")
        raise RuntimeError
    assert list((tmp_path / "deep").iterdir()) == []
    with new_directory(tmp_path / "deep" / "new") as place:
        (place / "whole").write_text("")
    assert (tmp_path / "deep" / "new" / "whole").is_file()
    with pytest.raises(UserError, match="exists and is not an empty directory"), new_directory(place.parent):
        pass
