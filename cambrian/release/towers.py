"""Our CLIP and SigLIP encoders as the vision towers of transformers, by an explicit map of names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, CLIPVisionModel, PreTrainedConfig, SiglipVisionModel

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.timm_trunk import TimmEncoder
from cambrian.encoders.transformers_trunk import TransformersEncoder

CLIP = "clip_vision_model"
SIGLIP = "siglip_vision_model"

TOP = {
    "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
    "patch_embed.proj.bias": "embeddings.patch_embedding.bias",
    "pos_embed": "embeddings.position_embedding.weight",
    "cls_token": "embeddings.class_embedding",
    "norm_pre.weight": "pre_layrnorm.weight",
    "norm_pre.bias": "pre_layrnorm.bias",
    "norm.weight": "post_layernorm.weight",
    "norm.bias": "post_layernorm.bias",
}
"""timm's names -> transformers', outside the blocks."""

BLOCK = {
    "norm1": "layer_norm1",
    "attn.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attn.proj": "self_attn.out_proj",
    "norm2": "layer_norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
"""Modules of a block; three names share timm's one matrix."""

ACTIVATIONS = {"QuickGELU": "quick_gelu", "GELU": "gelu", "GELUTanh": "gelu_pytorch_tanh"}
_INSIDE = re.compile(r"blocks\.(\d+)\.(.+)\.(weight|bias)")


@dataclass(frozen=True, kw_only=True)
class Tower:
    """A vision tower of transformers, or why an encoder is none."""

    config: PreTrainedConfig | None = None
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    class_token: bool = False
    reasons: tuple[str, ...] = ()
    """Empty if it is one."""


def find_tower(encoder: VisionEncoder) -> Tower:
    """Give the tower whose last hidden states are the features of `encoder`."""
    if isinstance(encoder, TransformersEncoder):
        config, weights, reasons = _of_transformers(encoder)
    elif isinstance(encoder, TimmEncoder):
        config, weights, reasons = _of_timm(encoder)
    else:
        kind = encoder.architecture["kind"]
        return Tower(reasons=(f"its encoder is a '{kind}', not a CLIP or SigLIP of timm or transformers",))
    if config is None:
        return Tower(reasons=tuple(reasons))
    reasons += _misfits(config, weights)
    side = encoder.resolution // _patch(config)
    if encoder.grid != side:
        reasons.append(
            f"its encoder's own grid of {side}x{side} is resized to {encoder.grid}x{encoder.grid}, "
            "which LLaVA does not do"
        )
    clip = config.model_type == CLIP
    return Tower(config=config, weights=weights, class_token=clip, reasons=tuple(reasons))


Parts = tuple[PreTrainedConfig | None, dict[str, Tensor], list[str]]


def _of_transformers(encoder: TransformersEncoder) -> Parts:
    trunk: Any = encoder.trunk
    if not isinstance(trunk, CLIPVisionModel | SiglipVisionModel):
        return None, {}, [f"its encoder is a '{encoder.kind}', not a CLIP or SigLIP"]
    weights = dict(trunk.state_dict())
    normed = isinstance(trunk.post_layernorm, nn.LayerNorm)
    # Positions of images of another size are computed once and for all.
    table = trunk.embeddings.position_embedding.weight
    positions = (encoder.resolution // _patch(trunk.config)) ** 2 + int(encoder.kind == CLIP)
    if positions != len(table):
        blank = table.new_empty(1, positions, table.shape[1])
        with torch.no_grad():
            side = encoder.resolution
            resized = trunk.embeddings.interpolate_pos_encoding(blank, side, side)
        weights["embeddings.position_embedding.weight"] = resized[0].clone()
    changes = {"image_size": encoder.resolution, "num_hidden_layers": len(trunk.encoder.layers)}
    given = {**trunk.config.to_dict(), **changes}
    return _finish(encoder.kind, given, weights, normed=normed)


def _of_timm(encoder: TimmEncoder) -> Parts:
    trunk: Any = encoder.trunk
    name = encoder.architecture["model"]
    if type(trunk).__name__ != "VisionTransformer" or not len(trunk.blocks):
        return None, {}, [f"its encoder is timm's {name}, no vision transformer like CLIP or SigLIP"]
    block = trunk.blocks[0]
    clip = trunk.cls_token is not None
    normed = isinstance(trunk.norm, nn.LayerNorm)
    activation = _activation(block.mlp.act)
    norms = {module.eps for module in trunk.modules() if isinstance(module, nn.LayerNorm)}
    reasons = (
        [] if activation else [f"transformers has no name for its activation {type(block.mlp.act).__name__}"]
    )
    if len(norms) > 1:
        reasons.append(f"the norms of its encoder have different epsilons {sorted(norms)}")
    if trunk.dynamic_img_size:
        reasons.append(f"timm's {name} resizes its positions image by image")
    given = {
        "hidden_size": trunk.embed_dim,
        "intermediate_size": block.mlp.fc1.out_features,
        "num_hidden_layers": len(trunk.blocks),
        "num_attention_heads": block.attn.num_heads,
        "image_size": encoder.resolution,
        "patch_size": trunk.patch_embed.patch_size[0],
        "hidden_act": activation or "gelu",
        "layer_norm_eps": norms.pop(),
    }
    config, weights, more = _finish(CLIP if clip else SIGLIP, given, dict(_renamed(trunk)), normed=normed)
    return config, weights, reasons + more


def _finish(kind: str, given: Mapping[str, Any], weights: dict[str, Tensor], *, normed: bool) -> Parts:
    """Set what says which norm the features have; a norm that they lack is there, and not used."""
    reasons = []
    if kind == CLIP and normed:
        reasons.append(
            "its encoder's final norm is applied to the features, and transformers' CLIP does so with the "
            "class token alone (encoder.layer=-2 takes the features before it)"
        )
    known = {key: value for key, value in given.items() if key != "model_type"}
    own = {"vision_use_head": False} if kind == SIGLIP else {}
    if not normed:
        for name, fill in (("weight", torch.ones), ("bias", torch.zeros)):
            weights[f"post_layernorm.{name}"] = fill(given["hidden_size"])
    return AutoConfig.for_model(kind, **{**known, **own, "tie_last_hidden_states": normed}), weights, reasons


def _renamed(trunk: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Give timm's weights by transformers' names; those without one keep theirs."""
    for name, tensor in trunk.state_dict().items():
        inside = _INSIDE.fullmatch(name)
        if inside is None or inside[2] not in BLOCK:
            # Both have an axis for the batch in timm.
            if name in ("pos_embed", "cls_token"):
                tensor = tensor.squeeze(0).squeeze(0)
            yield TOP.get(name, name), tensor
            continue
        number, module, kind = inside.groups()
        theirs = BLOCK[module]
        names = (theirs,) if isinstance(theirs, str) else theirs
        for own, part in zip(names, tensor.chunk(len(names)), strict=True):
            yield f"encoder.layers.{number}.{own}.{kind}", part.contiguous()


def _misfits(config: PreTrainedConfig, weights: Mapping[str, Tensor]) -> list[str]:
    """Say which weights the tower has no place for, or lacks."""
    with torch.device("meta"):
        places = {name: tensor.shape for name, tensor in AutoModel.from_config(config).state_dict().items()}
    kind = config.model_type.split("_")[0]
    extra = sorted(weights.keys() - places.keys())
    absent = sorted(places.keys() - weights.keys())
    wrong = sorted(name for name in weights.keys() & places.keys() if weights[name].shape != places[name])
    faults = {"has no place for": extra, "also needs": absent, "has another shape of": wrong}
    return [
        f"transformers' {kind} {what} {len(names)} weights of its encoder, such as {names[0]}"
        for what, names in faults.items()
        if names
    ]


def _patch(config: PreTrainedConfig) -> int:
    size = config.patch_size
    assert isinstance(size, int), size
    return size


def _activation(module: nn.Module) -> str | None:
    if isinstance(module, nn.GELU) and module.approximate == "tanh":
        return "gelu_pytorch_tanh"
    return ACTIVATIONS.get(type(module).__name__)
