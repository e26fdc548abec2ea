"""What a plan has to know of an encoder that is in no table: `python -m cambrian.encoders.measure < request`.

The network is built without memory (on torch's meta device), so this works for any size on any machine. It is
a process of its own, because planning imports no torch. Request and answer are one JSON object each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from cambrian.encoders.checkpoints import read_json
from cambrian.encoders.sources import CONFIGURATION, MAIN, snapshot
from cambrian.encoders.table import build_encoder
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.errors import UserError, leaving_on_user_error

Request = Mapping[str, Any]
"""`model` (timm's name), or `hub` with `revision`, or `folder`; `resolution` or null; `choices`, settings of
the architecture; `download`."""


def measure(request: Request) -> dict[str, Any]:
    """Describe the encoder of a request: its architecture, where its weights are, its grid and its sizes.

    Raises:
        UserError: if there is no such network, its configuration is not here, or it gives no square grid.
    """
    architecture, objective = _describe(request)
    architecture |= {**request["choices"]}
    if request["resolution"] is not None:
        architecture["resolution"] = request["resolution"]
    with torch.device("meta"):
        encoder = build_encoder({**architecture, "grid": 1})
    assert isinstance(encoder, TrunkEncoder), type(encoder)
    grid, sizes = _count(encoder.eval())
    architecture |= {"mean": list(encoder.mean), "std": list(encoder.std)}
    return {"architecture": architecture, "objective": objective, "grid": grid, "measured": sizes}


def _describe(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Architecture without the person's choices, and what its weights are known by."""
    if request.get("model"):
        return _of_timm(request["model"])
    objective: dict[str, Any] = {}
    if request.get("folder"):
        folder = Path(request["folder"])
    else:
        name, revision = request["hub"], request["revision"] or MAIN
        folder = snapshot(name, revision, CONFIGURATION, download=request["download"])
        objective = {"hub": name, "revision": revision}
    config = read_json(folder / "config.json")
    if "model_type" in config:
        return _of_transformers(folder, config), objective
    if isinstance(config.get("architecture"), str):
        return _of_folder(config), objective
    raise UserError(f"{folder}/config.json has neither timm's `architecture` nor transformers' `model_type`")


def _of_timm(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    published = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if published is None:
        return {"kind": "timm", "model": name, "resolution": 224}, {}  # building it says what is wrong
    objective: dict[str, Any] = {}
    if published.hf_hub_id:
        objective = {"hub": published.hf_hub_id, "revision": MAIN}
    elif published.url:
        objective = {"url": published.url}
    return {"kind": "timm", "model": name, "resolution": published.input_size[-1]}, objective


def _of_folder(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read a configuration in the format in which timm pushes models to the hub."""
    published = config.get("pretrained_cfg", config)
    name = config["architecture"]
    chosen = {
        key: value
        for key in ("num_classes", "global_pool")
        if (value := config.get(key, published.get(key))) is not None
    }
    found = {key: list(published[key]) for key in ("mean", "std") if key in published}
    default = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    size = published.get("input_size") or (default.input_size if default else (3, 224, 224))
    arguments = {**chosen, **config.get("model_args", {})}
    return {"kind": "timm", "model": name, "arguments": arguments, "resolution": size[-1], **found}


def _of_transformers(folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    from cambrian.encoders.transformers_trunk import read_config  # late: timm's need no transformers

    kind, config = read_config(values)
    colours = read_json(folder / "preprocessor_config.json")
    size = config.image_size if isinstance(config.image_size, int) else config.image_size[0]
    return {
        "kind": "transformers",
        "config": {**config.to_diff_dict(), "model_type": kind},
        "resolution": size,
        "mean": colours["image_mean"],
        "std": colours["image_std"],
    }


def _count(encoder: TrunkEncoder) -> tuple[int, dict[str, int]]:
    """Side of the grid that the network gives, and its sizes as the price of a run needs them."""
    pixels = torch.empty(1, 3, encoder.resolution, encoder.resolution, device="meta")
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        maps = encoder.maps(pixels)
    blocks = _Blocks(encoder)
    with blocks, _FusedAttention():
        encoder.maps(pixels)
    rows, columns = maps[-1].shape[-2:]
    if rows != columns:
        raise UserError(f"this encoder gives a grid of {rows} x {columns}; only square ones can be used")
    return rows, {
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "flops": int(flops.get_total_flops()),
        "width": encoder.width,
        "block_inputs": sum(blocks.inputs) or pixels.numel(),
        "saved_values": blocks.saved,
        "largest_block": max(blocks.kept, default=blocks.saved),
        "blocks": len(encoder.block_groups()),
    }


class _Blocks(torch.autograd.graph.saved_tensors_hooks):
    """Counts the values that a backward pass needs, in all and block by block."""

    def __init__(self, encoder: nn.Module) -> None:
        self.saved = 0
        self.inputs: list[int] = []
        self.kept: list[int] = []
        self._known: dict[int, Tensor] = {id(parameter): parameter for parameter in encoder.parameters()}
        super().__init__(self._pack, lambda tensor: tensor)
        lists = [
            module for name, module in encoder.named_modules() if name.endswith(("blocks", "layers", "layer"))
        ]
        for container in lists:
            for block in container.children():
                block.register_forward_pre_hook(self._enter)
                block.register_forward_hook(self._leave)

    def _pack(self, tensor: Tensor) -> Tensor:
        whole = tensor if tensor._base is None else tensor._base  # views share the memory of what they show
        if id(whole) not in self._known:
            self._known[id(whole)] = whole
            self.saved += whole.numel()
        return tensor

    def _enter(self, block: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.inputs.append(inputs[0].numel() if inputs else 0)
        self.kept.append(-self.saved)

    def _leave(self, block: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        self.kept[-1] += self.saved


class _FusedAttention(TorchFunctionMode):
    """Lets attention keep what a fused kernel keeps: queries, keys, values and its result, no weights."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args[:3]
        kept = (query.square(), key.square(), value.square())  # a square keeps its input
        return (kept[0] + (kept[1].sum() + kept[2].sum())).square()


if __name__ == "__main__":
    with leaving_on_user_error():
        json.dump(measure(json.load(sys.stdin)), sys.stdout)
