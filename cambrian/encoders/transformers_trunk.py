"""Vision transformers in the format of transformers: CLIP, SigLIP, DINOv2, and DPT and BEiT for MiDaS.

Shape legend: B images, R resolution in pixels, s side of a feature map, N tokens, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    BeitModel,
    CLIPVisionModel,
    Dinov2Model,
    DPTForDepthEstimation,
    DPTModel,
    PreTrainedConfig,
    SiglipVisionModel,
)

from cambrian.encoders.checkpoints import read_json
from cambrian.encoders.trunk import TrunkEncoder, TrunkShape, check_keys, layer_index
from cambrian.errors import UserError, unknown_name
from cambrian.quiet import quiet


@dataclass(frozen=True, kw_only=True)
class TransformersShape(TrunkShape):
    """Settings of a network of transformers."""

    config: Mapping[str, Any]
    """Its configuration with `model_type`, as in the checkpoint's config.json; defaults may be left out."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One row of the table of networks: how it is made, and where its parts are."""

    trunk: Callable[[Any], nn.Module]
    layers: str
    """Place of the list of layers."""
    norm: str
    """Place of the norm behind the last layer."""
    class_token: bool
    interpolates: bool
    """Whether it has to be told to interpolate its positions."""
    published: type[Any] | None = None
    """Class of the checkpoint, if that is more than the trunk."""
    place: str = ""
    """Place of the trunk in it."""
    left_out: tuple[str, ...] = ()
    """Prefixes of weights in checkpoints that features do not need."""


_CONTRASTIVE = ("text_model.", "text_projection.", "visual_projection.", "logit_scale", "logit_bias")

FAMILIES: Mapping[str, Family] = {
    "clip_vision_model": Family(
        trunk=CLIPVisionModel,
        layers="encoder.layers",
        norm="post_layernorm",
        class_token=True,
        interpolates=True,
        left_out=_CONTRASTIVE,
    ),
    "siglip_vision_model": Family(
        trunk=SiglipVisionModel,
        layers="encoder.layers",
        norm="post_layernorm",
        class_token=False,
        interpolates=True,
        left_out=(*_CONTRASTIVE, "head.", "vision_model.head."),
    ),
    "dinov2": Family(
        trunk=Dinov2Model,
        layers="encoder.layer",
        norm="layernorm",
        class_token=True,
        interpolates=False,
        left_out=("embeddings.mask_token", "classifier."),
    ),
    "dpt": Family(
        trunk=lambda config: DPTModel(config, add_pooling_layer=False),
        layers="encoder.layer",
        norm="layernorm",
        class_token=True,
        interpolates=False,
        published=DPTForDepthEstimation,
        place="dpt",
    ),
    "beit": Family(
        trunk=lambda config: BeitModel(config, add_pooling_layer=False),
        layers="layers",
        norm="layernorm",
        class_token=True,
        interpolates=True,
        published=DPTForDepthEstimation,
        place="backbone.beit",
    ),
}
"""By `model_type` of the vision part's configuration. A `beit` is the backbone of a DPT, as in MiDaS 3.1."""

_WITHOUT_EXTRAS = {"siglip_vision_model": {"vision_use_head": False}, "dinov2": {"use_mask_token": False}}
"""Settings that leave out parts which features do not need."""


class TransformersEncoder(TrunkEncoder):
    """A vision transformer up to the chosen layer, without class token, pooling and heads."""

    shape = TransformersShape

    def __init__(self, shape: TransformersShape, architecture: Mapping[str, Any]) -> None:
        if shape.mean is None or shape.std is None:
            raise UserError("an encoder of transformers needs mean and std, as in preprocessor_config.json")
        self.kind, config = read_config(shape.config)
        super().__init__(shape, architecture, width=config.hidden_size, mean=shape.mean, std=shape.std)
        family = FAMILIES[self.kind]
        self.trunk = family.trunk(config)
        self._layer, self._normed = shape.layer, shape.normed
        self._resized = {"interpolate_pos_encoding": True} if _resized(family, config, shape) else {}
        self._prune(self.trunk)

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Give the feature map (B, C, s, s) of normalised `pixels` (B, 3, R, R)."""
        tokens = self.trunk(pixels, **self._resized).last_hidden_state  # (B, N, C)
        if self.kind == "clip_vision_model" and self._normed:
            tokens = self.trunk.get_submodule("post_layernorm")(
                tokens
            )  # its own forward norms the class only
        tokens = tokens[:, int(FAMILIES[self.kind].class_token) :]
        side = round(tokens.shape[1] ** 0.5)
        return [tokens.unflatten(1, (side, side)).permute(0, 3, 1, 2)]

    def block_groups(self) -> list[list[nn.Module]]:
        """Transformer layers, the last with the final norm."""
        family = FAMILIES[self.kind]
        *groups, last = ([layer] for layer in self.trunk.get_submodule(family.layers).children())
        return [*groups, [*last, self.trunk.get_submodule(family.norm)]]

    def adopt(self, source: Path) -> None:
        """Take over the weights of a checkpoint directory; no code that lies in it is run.

        Raises:
            UserError: if its configuration is another one, or weights are missing or none of this network's.
        """
        kind, config = read_config(read_json(source / "config.json"))
        ours = read_config(self.architecture["config"])[1]
        _check_config(self.kind, kind, ours.to_dict(), config.to_dict())
        family = FAMILIES[kind]
        loader = family.published or family.trunk
        more = {} if family.published else {"config": config}
        with quiet():
            whole, report = loader.from_pretrained(  # type: ignore[attr-defined]
                source, dtype=torch.float32, local_files_only=True, output_loading_info=True, **more
            )
        unexpected = [key for key in report["unexpected_keys"] if not key.startswith(family.left_out)]
        check_keys(f"a {kind} in {source.name}", missing=report["missing_keys"], unexpected=unexpected)
        trunk = whole.get_submodule(family.place)
        self._prune(trunk)
        self.trunk.load_state_dict(trunk.state_dict())

    def _prune(self, trunk: nn.Module) -> None:
        """Cut off the layers behind the one that gives the features, and the norm if it is not wanted."""
        family = FAMILIES[self.kind]
        layers = trunk.get_submodule(family.layers)
        assert isinstance(layers, nn.ModuleList), type(layers)
        last = layer_index(self._layer, len(layers), f"the {self.kind}")
        trunk.set_submodule(family.layers, layers[: last + 1])
        if not self._normed:
            trunk.set_submodule(family.norm, nn.Identity())


def read_config(values: Mapping[str, Any]) -> tuple[str, PreTrainedConfig]:
    """Find the vision part of a configuration: the name of its family, and its own configuration.

    Raises:
        UserError: if it is none of the known families.
    """
    given = dict(values)
    if given.get("model_type") == "dpt" and (given.get("backbone_config") or given.get("is_hybrid")):
        given = dict(given.get("backbone_config") or {"model_type": "hybrid dpt"})
    elif "vision_config" in given:
        kind = f"{given.get('model_type')}_vision_model"
        given = {**given["vision_config"], "model_type": kind}
    kind = str(given.pop("model_type", None))
    if kind not in FAMILIES:
        raise UserError(unknown_name("network of transformers", kind, FAMILIES))
    given = {
        key: value for key, value in given.items() if key not in ("architectures", "transformers_version")
    }
    return kind, AutoConfig.for_model(kind, **{**given, **_WITHOUT_EXTRAS.get(kind, {})})


def _resized(family: Family, config: PreTrainedConfig, shape: TransformersShape) -> bool:
    native = config.image_size if isinstance(config.image_size, int) else config.image_size[0]
    return family.interpolates and native != shape.resolution


_TELLING = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "mlp_ratio"),
    *("patch_size", "image_size", "hidden_act", "layer_norm_eps"),
    *("use_swiglu_ffn", "use_relative_position_bias", "use_mean_pooling"),
)
"""Settings in which a checkpoint must agree with the architecture."""


def _check_config(ours: str, kind: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that was made with other sizes than the architecture says."""
    if kind != ours:
        raise UserError(f"the checkpoint is a {kind}, the architecture says {ours}")
    faults = [
        f"{name} is {there.get(name)!r}, the architecture says {here[name]!r}"
        for name in _TELLING
        if name in here and here[name] != there.get(name)
    ]
    if faults:
        raise UserError(f"the checkpoint is another {kind}: {'; '.join(faults)}")
