"""Checkpoints that are not those of the network, or would run code, and settings that make no sense."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_checkpoints import hugging_face, make_timm, save_hugging_face
from trunks import HALF, adopt, build

from cambrian.errors import UserError


@pytest.mark.parametrize("make", ["missing", "unexpected", "size"])
def test_weights_of_another_network_are_refused_by_name(tmp_path: Path, make: str) -> None:
    state = make_timm("test_vit").state_dict()
    if make == "missing":
        del state["blocks.2.attn.qkv.weight"]
        said = "1 missing: blocks.2.attn.qkv.weight"
    elif make == "unexpected":
        state["blocks.9.norm1.weight"] = torch.ones(64)
        said = "1 unexpected: blocks.9.norm1.weight"
    else:
        state["blocks.0.norm1.weight"] = torch.ones(3)
        said = "blocks.0.norm1.weight is (3,), not (64,)"
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=re.escape(said)):
        adopt(tmp_path / "a.pth", kind="timm", model="test_vit", resolution=160, grid=10)


def test_a_head_is_not_needed_and_not_minded(tmp_path: Path) -> None:
    state = make_timm("test_vit").state_dict()
    headless = {name: tensor for name, tensor in state.items() if not name.startswith("head")}
    assert len(headless) < len(state)
    torch.save(headless, tmp_path / "a.pth")
    adopt(tmp_path / "a.pth", kind="timm", model="test_vit", resolution=160, grid=10)


def test_transformers_weights_that_lack_something_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = hugging_face("dinov2")
    folder = save_hugging_face(model, tmp_path / "model")
    state = load_file(folder / "model.safetensors")
    del state["layernorm.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    architecture = {"kind": "transformers", "config": model.config.to_dict(), "resolution": 32, "grid": 4}
    with pytest.raises(UserError, match=r"1 missing: layernorm\.weight"):
        adopt(folder, **architecture, **HALF)


def test_transformers_of_other_sizes_are_refused(tmp_path: Path) -> None:
    model = hugging_face("dinov2")
    folder = save_hugging_face(model, tmp_path / "model")
    config = {**model.config.to_dict(), "num_attention_heads": 4}
    with pytest.raises(UserError, match="num_attention_heads is 2, the architecture says 4"):
        adopt(folder, kind="transformers", config=config, resolution=32, grid=4, **HALF)


class _Nasty:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": _Nasty()}, tmp_path / "a.pth")
    with pytest.raises(UserError, match="could run any code"):
        adopt(tmp_path / "a.pth", kind="timm", model="test_vit", resolution=160, grid=10)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "test_vitt"}, "no network 'test_vitt'; near it: test_vit"),
        ({"model": "test_vit.mine"}, "unknown weights of timm's test_vit 'test_vit.mine'"),
        ({"layer": -7}, "has 6 layers, got layer -7; choose from -1 (last) to -6"),
        ({"layer": 0}, "got layer 0"),
        ({"pooling": "max"}, "unknown pooling of an encoder 'max'"),
        ({"multi_stage": True}, "have one grid, no stages"),
        ({"resolutoin": 1}, "did you mean 'resolution'"),
    ],
    ids=str,
)
def test_impossible_choices_are_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        build(**{"kind": "timm", "model": "test_vit", "resolution": 160, "grid": 10, **settings})
