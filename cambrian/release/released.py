"""Released Cambrian-1 checkpoints as models of this project.

Such a directory has a config.json of type `cambrian_llama`, weights in shards, and the tokenizer of its LLM.
Its encoders are only named: they come from elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig

from cambrian.connectors.base import Connector, build_connector
from cambrian.data.tokenization import ChatTokenizer
from cambrian.directories import new_directory
from cambrian.encoders.base import VisionEncoder
from cambrian.errors import ConfigError, UserError
from cambrian.local_weights import checksums
from cambrian.model.language import Language, special_tokens
from cambrian.model.pretrained import read_tokenizer
from cambrian.reference.names import connector_names
from cambrian.reference.sampler import HEADS
from cambrian.release.directory import CONFIG, Description, build_llm, write_release
from cambrian.release.files import read_json, read_weights

MODEL_TYPE = "cambrian_llama"
OURS = "`python -m cambrian.release import` reads checkpoints of nyu-visionx/cambrian-8b, -13b and -34b"
UNUSED = "rotary_emb.inv_freq"
"""End of the names of buffers that older versions of transformers saved, and that are computed."""
NOTES = (
    "Imported from a released checkpoint, which names its encoders and does not hold them.",
    "Images are padded in the mean colour of each encoder, by the authors' code mostly in CLIP's.",
)

Encoders = Sequence[tuple[VisionEncoder, Mapping[str, Any]]]
"""Encoders, each with what is known of it."""


def import_checkpoint(checkpoint: Path, directory: Path, encoders: Encoders, template: str) -> None:
    """Write a released checkpoint and its encoders into a new `directory`, in this project's form.

    Args:
        checkpoint: directory with the files of the release.
        directory: to be made.
        encoders: in the order of the checkpoint's `mm_vision_tower_aux_list`.
        template: in which the LLM was tuned.

    Raises:
        UserError: if something is missing, or does not belong together.
    """
    config = _read_config(checkpoint)
    eyes = [encoder for encoder, _ in encoders]
    _check_encoders(config, eyes)
    recipe = connector_recipe(config)
    settings = _llm_settings(config)
    llm = build_llm(settings)
    with torch.device("meta"):
        widths, grids = [eye.width for eye in eyes], [eye.grid for eye in eyes]
        connector = build_connector(recipe, widths, grids, config["hidden_size"], config["num_hidden_layers"])
    weights = _rename(checkpoint, connector, llm.state_dict(), read_weights(checkpoint))
    for number, eye in enumerate(eyes):
        weights |= {f"encoders.{number}.{name}": tensor for name, tensor in eye.state_dict().items()}
    tokenizer = read_tokenizer(checkpoint, llm.config)
    language = Language(
        llm=llm,
        tokenizer=tokenizer.backend_tokenizer,
        grid_positions=None,
        tokens=special_tokens(tokenizer),
    )
    chat = ChatTokenizer(language.tokenizer, template=template, image_positions=1, max_tokens=1)
    if chat.vocabulary > settings["vocab_size"]:
        raise UserError(
            f"{checkpoint}: the tokenizer has {chat.vocabulary} tokens, the LLM {settings['vocab_size']} "
            "embeddings; they do not belong together"
        )
    description = Description(
        encoders=[eye.architecture for eye in eyes],
        connector=recipe,
        llm=settings,
        template=template,
        grid_positions=None,
    )
    facts = _facts(checkpoint, config, encoders)
    with new_directory(directory) as place:
        write_release(place, description, weights, language, eyes, facts)


def connector_recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give the recipe of the connector that a checkpoint's config.json describes.

    Raises:
        UserError: for a projector that the released checkpoints do not have and this project does not build.
    """
    kind, side = config["mm_projector_type"], math.isqrt(config["image_token_len"])
    if kind == "sva":
        inner = None
        if not config["connector_only"]:
            names = {"start": "start_of", "stride": "stride_of", "layers": "num_of"}
            inner = {ours: config[f"{theirs}_vision_sampler_layers"] for ours, theirs in names.items()}
        return {
            "kind": "sva",
            "side": side,
            "width": config["vision_hidden_size"],
            "heads": HEADS,
            "depth": config["connector_depth"],
            "groups": [math.isqrt(queries) for queries in _numbers(config["query_num_list"])],
            "newline": True,
            "aggregation": inner,
        }
    layers = re.fullmatch(r"mlp(\d+)x_gelu", kind)
    if kind != "linear" and layers is None:
        raise UserError(f"mm_projector_type is '{kind}', known are sva, linear and mlp<layers>x_gelu")
    return {"kind": "concat", "side": side, "layers": int(layers[1]) if layers else 1, "newline": True}


def _read_config(checkpoint: Path) -> dict[str, Any]:
    """Read config.json and make sure that it has what is needed."""
    path = checkpoint / CONFIG
    if not path.is_file():
        raise UserError(f"{checkpoint} holds no checkpoint: {CONFIG} is missing; {OURS}")
    config = read_json(path)
    if config.get("model_type") != MODEL_TYPE:
        raise UserError(f"{path} is of type '{config.get('model_type')}', not '{MODEL_TYPE}'; {OURS}")
    needed = ["hidden_size", "num_hidden_layers", "mm_projector_type", "image_token_len"]
    needed += ["mm_vision_tower_aux_list", "mm_vision_tower_aux_token_len_list"]
    if config.get("mm_projector_type") == "sva":
        needed += ["vision_hidden_size", "connector_depth", "query_num_list", "connector_only"]
        if not config.get("connector_only", True):
            needed += [f"{word}_of_vision_sampler_layers" for word in ("start", "stride", "num")]
    if missing := [name for name in needed if name not in config]:
        raise UserError(f"{path} lacks {', '.join(missing)}; copy or fetch the checkpoint again")
    return config


def _check_encoders(config: Mapping[str, Any], encoders: Sequence[VisionEncoder]) -> None:
    """Refuse encoders that are not as many, or whose grids are not those, of the checkpoint."""
    names = config["mm_vision_tower_aux_list"]
    sides = [math.isqrt(count) for count in _numbers(config["mm_vision_tower_aux_token_len_list"])]
    wanted = "; ".join(f"{name}, grid {side}x{side}" for name, side in zip(names, sides, strict=True))
    if len(encoders) != len(names):
        raise UserError(
            f"the checkpoint has {len(names)} encoders, got {len(encoders)}; give, in this order: {wanted}"
        )
    faults = [
        f"encoder {number} ({name}) must give a grid of {side}x{side}, got {encoder.grid}x{encoder.grid}; "
        f"take it into the store with that grid"
        for number, (name, side, encoder) in enumerate(zip(names, sides, encoders, strict=True))
        if encoder.grid != side
    ]
    if faults:
        raise ConfigError(faults)


def _llm_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give the LLM's own settings, as a Llama's."""
    known = {*LlamaConfig().to_dict(), "rope_theta", "rope_scaling", "torch_dtype"}
    known -= {"model_type", "architectures", "transformers_version"}
    own = LlamaConfig.from_dict({key: value for key, value in config.items() if key in known}).to_dict()
    return {**own, "dtype": config.get("dtype", config.get("torch_dtype", "float32"))}


def _rename(
    checkpoint: Path, connector: Connector, llm: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Give the weights by our names.

    Raises:
        UserError: if a weight is missing, has another shape, or is left over.
    """
    names = {f"connector.{ours}": f"model.{theirs}" for ours, theirs in connector_names(connector).items()}
    shapes = {f"connector.{name}": tensor.shape for name, tensor in connector.state_dict().items()}
    names |= {f"llm.{name}": name for name in llm}
    shapes |= {f"llm.{name}": tensor.shape for name, tensor in llm.items()}
    given = {name: tensor for name, tensor in weights.items() if not name.endswith(UNUSED)}
    missing = sorted(set(names.values()) - given.keys())
    extra = sorted(given.keys() - set(names.values()))
    faults = [f"lacks {len(missing)} weights, such as {missing[0]}"] if missing else []
    faults += [f"has {len(extra)} weights without a place, such as {extra[0]}"] if extra else []
    faults += [
        f"has {theirs} as {tuple(given[theirs].shape)}, expected {tuple(shapes[ours])}"
        + ("; its encoders are others than those given" if "mm_projector" in theirs else "")
        for ours, theirs in names.items()
        if theirs in given and given[theirs].shape != shapes[ours]
    ]
    if faults:
        raise UserError(f"{checkpoint} " + "\n  and ".join(faults))
    return {ours: given[theirs] for ours, theirs in names.items()}


def _facts(checkpoint: Path, config: Mapping[str, Any], encoders: Encoders) -> dict[str, Any]:
    place = checkpoint.resolve()
    return {
        "name": place.name,
        "axes": {},
        "lab": False,
        "notes": list(NOTES),
        "origin": {
            "checkpoint": place.name,
            "encoders": list(config["mm_vision_tower_aux_list"]),
            "files": checksums(place),
        },
        "stages": [{**known, "role": f"encoder.{number}"} for number, (_, known) in enumerate(encoders)],
        "evaluations": [],
    }


def _numbers(value: Any) -> list[int]:  # noqa: ANN401 - a list, or a list in a string
    """Read a list of whole numbers; some tools wrote it as a string."""
    return [int(number) for number in (json.loads(value) if isinstance(value, str) else value)]
