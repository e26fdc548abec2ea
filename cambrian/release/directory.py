"""A whole multimodal LLM as one directory in Hugging Face's manner, which needs nothing else to be used.

config.json             architectures of the encoders, recipe of the connector, configuration of the LLM
model*.safetensors      all weights: `encoders.<k>.`, `connector.`, `llm.`, `grid_positions.`
tokenizer.json, ...     as transformers writes them
processor_config.json   for other programs: how each encoder wants its images
release.json            what is known of the model's making
README.md               the model card
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import build_encoder
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.errors import UserError
from cambrian.model.assembly import join
from cambrian.model.grid_positions import GridPositions
from cambrian.model.language import Language, decoder_layers, load_tokenizer, save_tokenizer
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.placement import place
from cambrian.quiet import quiet
from cambrian.release.card import write_card
from cambrian.release.files import read_json, read_weights, write_json

MODEL_TYPE = "cambrian_sweeps"
FORMAT = 1
"""Version of this layout."""
CONFIG = "config.json"
PROCESSOR = "processor_config.json"
FACTS = "release.json"
SHARD = "5GB"
"""Largest file of weights."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What config.json says: all of a model but its weights and its tokenizer."""

    encoders: Sequence[Mapping[str, Any]]
    """Architecture of each."""
    connector: Mapping[str, Any]
    llm: Mapping[str, Any]
    """Configuration in transformers' form."""
    template: str
    grid_positions: Mapping[str, int] | None
    """`side` and `width`; None for an LLM that needs none."""


def save_model(model: MultimodalLLM, directory: Path, facts: Mapping[str, Any]) -> None:
    """Write a whole model into an empty `directory`; `facts` are what the card tells of its making.

    The LLM has the type of the files that it came from, in which it was published; all else is as it is.
    """
    dtype = model.language.dtype
    positions = model.grid_positions
    size = None if positions is None else {"side": positions.side, "width": positions.rows.embedding_dim}
    description = Description(
        encoders=[encoder.architecture for encoder in model.eyes],
        connector=model.connector_recipe,
        llm={**model.llm.config.to_dict(), "dtype": str(dtype).removeprefix("torch.")},
        template=model.chat.template.name,
        grid_positions=size,
    )
    own = model.llm.state_dict()
    once = {tensor.data_ptr(): tensor.to(dtype) for tensor in own.values()}  # the head may be the embeddings
    language = {name: once[tensor.data_ptr()] for name, tensor in own.items()}
    weights = model.state_dict() | {f"llm.{name}": tensor for name, tensor in language.items()}
    write_release(directory, description, weights, model.language, model.eyes, facts)


def write_release(
    directory: Path,
    description: Description,
    weights: Mapping[str, Tensor],
    language: Language,
    encoders: Sequence[VisionEncoder],
    facts: Mapping[str, Any],
) -> None:
    """Write all files into an empty `directory`; of `language` only the tokenizer."""
    llm = {key: value for key, value in description.llm.items() if key != "_name_or_path"}
    config = {
        "architectures": [MultimodalLLM.__name__],
        "model_type": MODEL_TYPE,
        "format": FORMAT,
        "encoders": list(description.encoders),
        "connector": description.connector,
        "text_config": llm,
        "template": description.template,
        "grid_positions": description.grid_positions,
    }
    write_json(directory / CONFIG, config)
    save_torch_state_dict(dict(weights), directory, max_shard_size=SHARD)
    save_tokenizer(language, directory)
    processor = {"template": description.template, "encoders": [image_settings(eye) for eye in encoders]}
    write_json(directory / PROCESSOR, processor)
    write_json(directory / FACTS, facts)
    write_card(directory, facts, config, processor)


def load_model(directory: Path | str, device: str = "cpu") -> MultimodalLLM:
    """Read a whole model, frozen and in evaluation mode, onto `device`, as `place` brings it there.

    Raises:
        UserError: if `directory` holds none, or not all of it.
    """
    with torch.random.fork_rng(devices=[]):  # parts are drawn before they are filled
        model = _load(Path(directory))
    model.requires_grad_(False)
    place(model, device)
    return model.eval()


def is_release(directory: Path) -> bool:
    """Whether `directory` holds a model of this form."""
    path = directory / CONFIG
    return path.is_file() and read_json(path).get("model_type") == MODEL_TYPE


def read_description(directory: Path) -> Description:
    """Read config.json.

    Raises:
        UserError: if it is missing, or that of another kind of model, or of another version of this program.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise UserError(f"{directory} holds no model: {CONFIG} is missing; `save` or `import` make one")
    config = read_json(path)
    if config.get("model_type") != MODEL_TYPE:
        raise UserError(
            f"{directory} holds a model of type '{config.get('model_type')}', not '{MODEL_TYPE}'; "
            "`import` reads released Cambrian-1 checkpoints"
        )
    if config.get("format") != FORMAT:
        raise UserError(
            f"{path} has format {config.get('format')}, this version of the program knows {FORMAT}; "
            "use the version that wrote it"
        )
    return Description(
        encoders=config["encoders"],
        connector=config["connector"],
        llm=config["text_config"],
        template=config["template"],
        grid_positions=config["grid_positions"],
    )


def image_settings(encoder: VisionEncoder) -> dict[str, Any]:
    """Say how an encoder wants its images: pixels from 0 to 1 become (pixels - mean) / std."""
    half = [0.5] * 3  # the lab's encoders read pixels from -1 to 1
    own = isinstance(encoder, TrunkEncoder)
    return {
        "resolution": encoder.resolution,
        "padding": list(encoder.padding),
        "resample": "bicubic",
        "mean": list(encoder.mean) if own else half,
        "std": list(encoder.std) if own else half,
    }


def build_llm(config: Mapping[str, Any]) -> PreTrainedModel:
    """Make the LLM of a configuration without weights, on the meta device."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(_llm_config(config), trust_remote_code=False)


def _load(folder: Path) -> MultimodalLLM:
    description = read_description(folder)
    parts = _split(read_weights(folder))
    positions, tokenizer = description.grid_positions, load_tokenizer(folder)
    language = Language(
        llm=_load_llm(folder, description.llm, parts.pop("llm", {})),
        tokenizer=tokenizer[0],
        grid_positions=None if positions is None else GridPositions(**positions),
        tokens=tokenizer[1],
        dtype=getattr(torch, description.llm["dtype"]),
    )
    model = join(
        [build_encoder(architecture) for architecture in description.encoders],
        language,
        connector_recipe=description.connector,
        template=description.template,
        seed=0,
    )
    for name in ("encoders", "connector", "grid_positions"):
        part, own = getattr(model, name), parts.pop(name, {})
        if part is not None:
            _fill(folder, part, name, own)
    if parts:
        raise _torn(folder, f"weights without a place, such as {next(iter(parts))}")
    return model


def _load_llm(place: Path, config: Mapping[str, Any], weights: dict[str, Tensor]) -> PreTrainedModel:
    kind = type(build_llm(config))
    with quiet():
        loaded: Any = kind.from_pretrained(
            None,
            config=_llm_config(config),
            state_dict=weights,
            dtype=str(config["dtype"]),
            output_loading_info=True,
        )
    llm, report = loaded
    faults = sorted(str(key) for name in ("missing_keys", "unexpected_keys") for key in report[name])
    faults += [str(key[0]) for key in report["mismatched_keys"]]
    if faults:
        raise _torn(place, f"{len(faults)} weights of the LLM are missing or do not fit, such as {faults[0]}")
    decoder_layers(llm)
    return llm


def _llm_config(config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - each family has a class of its own
    own = dict(config)
    return AutoConfig.for_model(own.pop("model_type"), **own)


def _split(weights: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Sort weights by the first word of their names, which is cut off."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    return parts


def _fill(place: Path, part: nn.Module, name: str, weights: Mapping[str, Tensor]) -> None:
    try:
        part.load_state_dict(weights)
    except RuntimeError as error:
        raise _torn(
            place, f"the weights of {name} do not fit: {str(error).splitlines()[-1].strip()}"
        ) from error


def _torn(place: Path, what: str) -> UserError:
    return UserError(f"{place}: {what}; copy or fetch the model again")
