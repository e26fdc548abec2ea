"""Any network of timm as an encoder: ViTs, EVA, SAM, ConvNeXt and all others that give intermediate features.

Shape legend: B images, R resolution in pixels, s side of a feature map, C channels.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import is_model, split_model_name_tag
from torch import Tensor, nn

from cambrian.encoders.checkpoints import State, find_weights, read_state, rename
from cambrian.encoders.trunk import TrunkEncoder, TrunkShape, check_keys, layer_index
from cambrian.errors import UserError, unknown_name


@dataclass(frozen=True, kw_only=True)
class TimmShape(TrunkShape):
    """Settings of a network of timm."""

    model: str
    """timm's name, with or without a tag."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Of the network's constructor, beside the size of its images."""
    multi_stage: bool = False
    """Join the last feature map of every stage, as with ConvNeXt in Cambrian-1."""
    format: str | None = None
    """Format of the published checkpoint, if timm does not know it."""


class TimmEncoder(TrunkEncoder):
    """A network of timm up to the chosen layer, without class token, registers, pooling and head."""

    shape = TimmShape

    def __init__(self, shape: TimmShape, architecture: Mapping[str, Any]) -> None:
        trunk = _create(shape)
        published: Mapping[str, Any] = trunk.pretrained_cfg
        layers: list[dict[str, Any]] = list(trunk.feature_info)
        indices = _indices(shape, layers)
        normed = shape.normed and not shape.multi_stage
        trunk.prune_intermediate_layers(indices, prune_norm=not normed, prune_head=True)
        width = sum(_width(layers[index], normed) for index in indices)
        mean, std = shape.mean or published["mean"], shape.std or published["std"]
        super().__init__(shape, architecture, width=width, mean=mean, std=std)
        self._settings, self._indices, self._normed = shape, indices, normed
        self.trunk = trunk

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Feature maps (B, C, s, s) of normalised `pixels` (B, 3, R, R), shallow to deep."""
        return self.trunk.forward_intermediates(
            pixels,
            indices=self._indices,
            norm=self._normed,
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )

    def block_groups(self) -> list[list[nn.Module]]:
        """Blocks of a plain network, or of all stages of one that has stages."""
        plain = getattr(self.trunk, "blocks", None)
        if plain is not None:
            return _with_tail([[block] for block in plain], self.trunk, ("norm", "neck"))
        groups: list[list[nn.Module]] = []
        for stage in getattr(self.trunk, "stages", None) or getattr(self.trunk, "layers", None) or ():
            if not hasattr(stage, "blocks"):
                return []
            if groups:  # what a stage begins with, such as going down to a smaller map
                groups[-1] += [child for name, child in stage.named_children() if name != "blocks"]
            groups += [[block] for block in stage.blocks]
        return _with_tail(groups, self.trunk, ("norm", "norm_pre"))

    def adopt(self, source: Path) -> None:
        """Take over the weights of a checkpoint, in timm's format or any that timm converts.

        Position embeddings of another resolution are resampled as timm does. What the features do not need,
        such as a head, may be in the checkpoint or not.

        Raises:
            UserError: if weights are missing or none of this network's, naming them.
        """
        state = read_state(find_weights(source))
        with torch.device("meta"):
            whole = _create(self._settings)
        if self._settings.format is not None:
            state = rename(state, self._settings.format)
        state = _filter_of(whole)(state, whole)
        own, names = self.trunk.state_dict(), whole.state_dict().keys()
        check_keys(
            f"timm's {self._settings.model}",
            missing=own.keys() - state.keys(),
            unexpected=state.keys() - names,
        )
        _check_sizes(self._settings.model, own, state)
        self.trunk.load_state_dict({name: state[name] for name in own})


def _create(shape: TimmShape) -> Any:  # noqa: ANN401 - timm's networks have no common type
    """Make the whole network with fresh weights."""
    name, tag = split_model_name_tag(shape.model)
    if not is_model(name):
        near = ", ".join(difflib.get_close_matches(name, timm.list_models(), n=5)) or "none is near"
        raise UserError(f"timm {timm.__version__} has no network '{name}'; near it: {near}")
    published = timm.get_pretrained_cfg(name)
    known = timm.list_pretrained(f"{name}.*")
    if tag and shape.model not in known:
        raise UserError(unknown_name(f"weights of timm's {name}", shape.model, known))
    sized = {"img_size": shape.resolution} if published is not None and published.fixed_input_size else {}
    trunk = timm.create_model(shape.model, pretrained=False, **{**shape.arguments, **sized})
    for needed in ("forward_intermediates", "prune_intermediate_layers"):
        if not hasattr(trunk, needed):
            raise UserError(f"timm's {name} gives no intermediate features; choose another network")
    return trunk


def _indices(shape: TimmShape, layers: list[dict[str, Any]]) -> list[int]:
    """Places of the layers that give features."""
    if not shape.multi_stage:
        return [layer_index(shape.layer, len(layers), f"timm's {shape.model}")]
    if len({layer["reduction"] for layer in layers}) == 1:
        raise UserError(f"all layers of timm's {shape.model} have one grid, no stages; set multi_stage=false")
    if shape.layer != -1:
        raise UserError(f"multi_stage takes all stages: set layer=-1, got {shape.layer}")
    return list(range(len(layers)))


def _with_tail(
    groups: list[list[nn.Module]], trunk: nn.Module, names: tuple[str, ...]
) -> list[list[nn.Module]]:
    """Add to the last group what follows it in `trunk` before features are given."""
    if groups:
        groups[-1] += [getattr(trunk, name) for name in names if hasattr(trunk, name)]
    return groups


def _width(layer: Mapping[str, Any], normed: bool) -> int:
    """Channels of a layer's features; SAM's neck, its final norm, changes them."""
    return int(layer.get("num_chs_norm", layer["num_chs"]) if normed else layer["num_chs"])


def _filter_of(network: nn.Module) -> Callable[[State, nn.Module], dict[str, Any]]:
    """Find timm's converter of published checkpoints, which stands in the network's module."""
    found = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    return found or (lambda state, network: dict(state))


def _check_sizes(model: str, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    wrong = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if state[name].shape != tensor.shape
    ]
    if wrong:
        raise UserError(f"the weights are not those of timm's {model}: {'; '.join(wrong[:3])}")
