"""Tiny networks saved in the formats in which the real ones are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from timm.models import save_for_hf
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    DPTConfig,
    DPTForDepthEstimation,
    PreTrainedModel,
    SiglipConfig,
    SiglipModel,
)

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 20,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
DEPTH: dict[str, Any] = {"neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8}
COLOURS = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}


def images(count: int, resolution: int) -> torch.Tensor:
    """Random uint8 images."""
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, resolution, resolution, 3), generator=generator, dtype=torch.uint8)


def make_timm(name: str, **arguments: Any) -> Any:
    """A network of timm with random weights that are all different from fresh ones."""
    torch.manual_seed(1)
    network = timm.create_model(name, **arguments).eval()
    return shake(network)


def shake(network: Any) -> Any:
    """Move every weight and statistic away from where it starts."""
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor += 0.05 * torch.rand_like(tensor)
    return network


def tiny_sam() -> Any:
    """A SAM of two blocks, one of them with windows, through timm's own class."""
    return make_timm(
        "samvit_base_patch16",
        img_size=64,
        depth=2,
        embed_dim=32,
        num_heads=2,
        window_size=2,
        global_attn_indexes=[1],
        num_classes=0,
    )


def save_timm(network: nn.Module, folder: Path) -> Path:
    """As timm pushes to the hub: config.json and model.safetensors."""
    save_for_hf(network, folder, safe_serialization=True)
    return folder


def save_moco(network: nn.Module, path: Path) -> Path:
    """As MoCo v3 publishes: a pickle with both encoders, projections, predictor and optimizer."""
    state: dict[str, torch.Tensor] = {"module.predictor.0.weight": torch.ones(2, 2)}
    for name, tensor in network.state_dict().items():
        state[f"module.base_encoder.{name}"] = tensor
        state[f"module.momentum_encoder.{name}"] = torch.zeros_like(tensor)
    for name in ("base_encoder", "momentum_encoder"):
        state[f"module.{name}.head.0.weight"] = torch.ones(3, 3)
        state[f"module.{name}.head.1.running_mean"] = torch.ones(3)
    optimizer = {"state": {}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 300, "arch": "vit_base", "state_dict": state, "optimizer": optimizer}, path)
    return path


def hugging_face(kind: str) -> PreTrainedModel:
    """A whole model of transformers: with the text part, pooling or depth head that real checkpoints have."""
    torch.manual_seed(2)
    layers = [0, 1, 2, 3]
    if kind == "clip":
        model: PreTrainedModel = CLIPModel(
            CLIPConfig(vision_config=SIZES, text_config=TEXT, projection_dim=8)
        )
    elif kind == "siglip":
        model = SiglipModel(SiglipConfig(vision_config=SIZES, text_config=TEXT))
    elif kind == "dinov2":
        own = {key: value for key, value in SIZES.items() if key != "intermediate_size"}
        model = Dinov2Model(Dinov2Config(**own, mlp_ratio=2))
    elif kind == "dpt":
        model = DPTForDepthEstimation(DPTConfig(**SIZES, **DEPTH, backbone_out_indices=layers))
    else:
        stages = {"out_features": ["stage1", "stage2", "stage3", "stage4"], "reshape_hidden_states": False}
        backbone = {**SIZES, **stages, "model_type": "beit", "use_relative_position_bias": True}
        model = DPTForDepthEstimation(DPTConfig(backbone_config=backbone, **DEPTH))
    return shake(model.eval())


def save_hugging_face(model: PreTrainedModel, folder: Path) -> Path:
    """As on the hub: config.json, model.safetensors, preprocessor_config.json."""
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(COLOURS))
    return folder


def save_weights(network: nn.Module, path: Path) -> Path:
    """The weights alone, as safetensors or a pickle."""
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    else:
        torch.save(network.state_dict(), path)
    return path
