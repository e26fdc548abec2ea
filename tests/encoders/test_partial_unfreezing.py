"""The last blocks of an encoder train, the others cost nothing and stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_diffusion import ARCHITECTURE
from tiny_checkpoints import SIZES, images
from torch import Tensor, nn
from trunks import HALF

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import build_encoder, load_encoder, save_encoder

VIT = {"width": 32, "depth": 3, "heads": 2, "expansion": 2, "stem": 16}
HF = {"kind": "transformers", "resolution": 32, "grid": 4, **HALF}
TIMM = {"kind": "timm", "resolution": 64, "grid": 4, "mean": [0.5] * 3, "std": [0.5] * 3}
STAGES = {"depths": (1, 2, 1, 2), "dims": (8, 16, 24, 32)}

KINDS: dict[str, tuple[dict[str, Any], int, set[str]]] = {
    "vit": ({"kind": "vit", "resolution": 64, **VIT}, 3, {"blocks.1", "blocks.2", "norm"}),
    "convnet": (
        {"kind": "convnet", "resolution": 64, "width": 32, "depths": [2, 1], "kernel": 3, "expansion": 2},
        3,
        {"early.1", "down", "late.0", "norm"},
    ),
    "timm vit": ({**TIMM, "model": "test_vit"}, 6, {"trunk.blocks.4", "trunk.blocks.5", "trunk.norm"}),
    "timm vit, layer before the last": (
        {**TIMM, "model": "test_vit", "layer": -2},
        5,
        {"trunk.blocks.3", "trunk.blocks.4"},
    ),
    "eva": (
        {**TIMM, "model": "eva02_tiny_patch14_224", "resolution": 56, "arguments": {"depth": 3}},
        3,
        {"trunk.blocks.1", "trunk.blocks.2"},
    ),
    "sam": (
        {
            **TIMM,
            "model": "samvit_base_patch16",
            "arguments": {"depth": 2, "embed_dim": 32, "num_heads": 2, "global_attn_indexes": [1]},
        },
        2,
        {"trunk.blocks.0", "trunk.blocks.1", "trunk.neck"},
    ),
    "convnext": (
        {**TIMM, "model": "convnext_atto", "resolution": 128, "arguments": STAGES},
        6,
        {"trunk.stages.3.blocks.0", "trunk.stages.3.blocks.1"},
    ),
    "clip": (
        {**HF, "config": {**SIZES, "model_type": "clip_vision_model"}, "layer": -2},
        3,
        {"trunk.encoder.layers.1", "trunk.encoder.layers.2"},
    ),
    "siglip": (
        {**HF, "config": {**SIZES, "model_type": "siglip_vision_model"}},
        4,
        {"trunk.encoder.layers.2", "trunk.encoder.layers.3", "trunk.post_layernorm"},
    ),
    "dinov2": (
        {**HF, "config": {**SIZES, "model_type": "dinov2", "mlp_ratio": 2}},
        4,
        {"trunk.encoder.layer.2", "trunk.encoder.layer.3", "trunk.layernorm"},
    ),
    "beit": (
        {**HF, "config": {**SIZES, "model_type": "beit", "use_relative_position_bias": True}},
        4,
        {"trunk.layers.2", "trunk.layers.3"},
    ),
    "diffusion": (
        ARCHITECTURE,
        9,
        {"unet.up_blocks.2", "unet.up_blocks.3"},
    ),
}
"""Kind -> architecture, number of blocks, modules that train when two of them do."""


def build(kind: str) -> VisionEncoder:
    if kind == "diffusion":
        pytest.importorskip("diffusers")
    torch.manual_seed(0)
    return build_encoder(KINDS[kind][0]).eval()


def unfreeze(encoder: VisionEncoder, blocks: int) -> VisionEncoder:
    encoder.requires_grad_(False)
    for group in encoder.block_groups()[-blocks:]:
        for module in group:
            module.requires_grad_(True)
    encoder.train()
    return encoder


def step(encoder: VisionEncoder) -> None:
    """Descend along what is a different number for every feature."""
    features = encoder(images(2, encoder.resolution))
    torch.manual_seed(5)
    (features * torch.randn_like(features)).sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_two_blocks_train_and_get_gradients(kind: str) -> None:
    _, count, modules = KINDS[kind]
    encoder = build(kind)
    assert len(encoder.block_groups()) == count
    step(unfreeze(encoder, 2))
    reached = {name for name, parameter in encoder.named_parameters() if parameter.grad is not None}
    wanted = tuple(f"{module}." for module in modules)
    assert reached == {name for name, _ in encoder.named_parameters() if name.startswith(wanted)}
    assert all(any(name.startswith(each) for name in reached) for each in wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_before_them_keeps_nothing_and_stays_in_evaluation_mode(kind: str) -> None:
    encoder = unfreeze(build(kind), 1)
    trained = {
        id(module) for group in encoder.block_groups()[-1:] for top in group for module in top.modules()
    }
    outside: list[str] = []

    def look(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.requires_grad and id(module) not in trained:
            outside.append(type(module).__name__)

    for name, module in encoder.named_modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.register_forward_hook(look)
            assert not module.training, name
        elif parameters and id(module) in trained:
            assert module.training, name
    step(encoder)
    assert not outside


def kept(encoder: VisionEncoder) -> int:
    """Bytes that a forward pass keeps for the backward pass, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in encoder.parameters()}
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        features = encoder(images(2, encoder.resolution))
    return sum(found.values()) if features.requires_grad else 0


@pytest.mark.parametrize("kind", ["vit", "timm vit", "siglip"])
def test_memory_grows_with_the_number_of_blocks_that_train(kind: str) -> None:
    encoder = build(kind)
    sizes = [kept(unfreeze(encoder, blocks)) for blocks in (1, 2, 3)]
    per_block = sizes[1] - sizes[0]
    assert per_block > 0
    assert sizes[2] - sizes[1] == per_block  # all blocks are alike
    assert sizes[0] < 2 * per_block  # the frozen ones add nothing


def test_a_block_behind_the_first_trained_stage_takes_the_way_down_with_it() -> None:
    encoder = unfreeze(build("convnext"), 3)
    trained = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert any(name.startswith("trunk.stages.3.downsample.") for name in trained)
    assert any(name.startswith("trunk.stages.2.blocks.0.") for name in trained)
    assert not any(name.startswith("trunk.stages.2.downsample.") for name in trained)


def test_stochastic_depth_is_random_in_trained_blocks_alone() -> None:
    architecture = {**TIMM, "model": "test_vit", "arguments": {"drop_path_rate": 0.5, "pos_drop_rate": 0.5}}
    encoder = build_encoder(architecture)
    unfreeze(encoder, 1)
    random = [name for name, module in encoder.named_modules() if module.training and "drop" in name]
    assert random and all(name.startswith("trunk.blocks.5.") for name in random)
    unfreeze(encoder, 6)
    assert not encoder.get_submodule("trunk.pos_drop").training


@pytest.mark.parametrize("kind", ["timm vit", "siglip", "convnext"])
def test_what_trained_in_part_comes_back_exactly(kind: str, tmp_path: Path) -> None:
    encoder = unfreeze(build(kind), 2)
    step(encoder)
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.grad is not None:
                parameter -= 0.01 * parameter.grad
    save_encoder(encoder, tmp_path)
    pixels = images(2, encoder.resolution)
    with torch.no_grad():
        assert torch.equal(load_encoder(tmp_path)(pixels), encoder.eval()(pixels))


def test_a_network_whose_blocks_cannot_be_told_apart_has_none() -> None:
    architecture = {**TIMM, "model": "resnet10t", "grid": 2}
    assert build_encoder(architecture).block_groups() == []
