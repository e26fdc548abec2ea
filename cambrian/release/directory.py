"""A whole multimodal LLM as one directory in Hugging Face's manner, which needs nothing else to be used.

    config.json             architectures of the encoders, recipe of the connector, configuration of the LLM
    model*.safetensors      all weights: `encoders.<k>.`, `connector.`, `llm.`, `grid_positions.`
    tokenizer.json, ...     as transformers writes them
    processor_config.json   for other programs: how each encoder wants its images
    release.json            what is known of the model's making
    README.md               the model card
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import build_encoder
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.errors import UserError
from cambrian.model.assembly import join
from cambrian.model.grid_positions import GridPositions
from cambrian.model.language import Language, decoder_layers, load_tokenizer, quiet, save_tokenizer
from cambrian.model.mllm import MultimodalLLM
from cambrian.release.card import write_card

MODEL_TYPE = "cambrian_sweeps"
FORMAT = 1
"""Version of this layout."""
CONFIG = "config.json"
PROCESSOR = "processor_config.json"
FACTS = "release.json"
INDEX = "model.safetensors.index.json"
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
    """Write a whole model into an empty `directory`; `facts` are what the card tells of its making."""
    positions = model.grid_positions
    size = None if positions is None else {"side": positions.side, "width": positions.rows.embedding_dim}
    description = Description(
        encoders=[encoder.architecture for encoder in model.eyes],
        connector=model.connector_recipe,
        llm=model.llm.config.to_dict(),
        template=model.chat.template.name,
        grid_positions=size,
    )
    write_release(directory, description, model.state_dict(), model.language, model.eyes, facts)


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
    _write_json(directory / CONFIG, config)
    save_torch_state_dict(dict(weights), directory, max_shard_size=SHARD)
    save_tokenizer(language, directory)
    processor = {"template": description.template, "encoders": [image_settings(eye) for eye in encoders]}
    _write_json(directory / PROCESSOR, processor)
    _write_json(directory / FACTS, facts)
    write_card(directory, facts, config, processor)


def load_model(directory: Path | str) -> MultimodalLLM:
    """Read a whole model, in evaluation mode, on the CPU, its weights as float32.

    Raises:
        UserError: if `directory` holds none, or not all of it.
    """
    place = Path(directory)
    description = read_description(place)
    parts = _split(read_weights(place))
    with torch.random.fork_rng(devices=[]):
        encoders = [build_encoder(architecture) for architecture in description.encoders]
        positions = None
        if description.grid_positions is not None:
            positions = GridPositions(**description.grid_positions)
        tokenizer, tokens = load_tokenizer(place)
    language = Language(
        llm=_load_llm(place, description.llm, parts.pop("llm", {})),
        tokenizer=tokenizer,
        grid_positions=positions,
        tokens=tokens,
    )
    model = join(
        encoders,
        language,
        connector_recipe=description.connector,
        template=description.template,
        seed=0,
    )
    for name in ("encoders", "connector", "grid_positions"):
        part, own = getattr(model, name), parts.pop(name, {})
        if part is not None:
            _fill(place, part, name, own)
    if parts:
        raise _torn(place, f"weights without a place, such as {next(iter(parts))}")
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


def read_weights(directory: Path) -> dict[str, Tensor]:
    """Give all tensors of the *.safetensors of `directory` by name; they are read when they are used.

    Raises:
        UserError: if there are none, or a file is missing or damaged.
    """
    paths = sorted(directory.glob("*.safetensors"))
    index = directory / INDEX
    named = set(read_json(index)["weight_map"].values()) if index.is_file() else set()
    absent = sorted(named - {path.name for path in paths})
    if absent or not paths:
        what = ", ".join(absent) or "*.safetensors (other formats are not read)"
        raise UserError(f"{directory} lacks weights: {what}; copy or fetch the model again")
    weights: dict[str, Tensor] = {}
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                weights |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} cannot be read: {error}; copy or fetch the model again") from error
    return weights


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: if the file holds none.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; copy or fetch the model again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no JSON object; copy or fetch the model again")
    return content


@contextmanager
def new_directory(directory: Path) -> Iterator[Path]:
    """Give a directory to write into, which becomes `directory` if all goes well and is removed if not.

    Raises:
        UserError: if there is something already.
    """
    directory = directory.expanduser().absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} exists and is not an empty directory; name another one")
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    staging.mkdir()
    try:
        yield staging
        readable = staging.stat().st_mode & 0o666
        for path in staging.iterdir():  # some libraries write what nobody else may read
            path.chmod(readable)
        staging.rename(directory)
    except BaseException:
        shutil.rmtree(staging)
        raise


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


def _load_llm(place: Path, config: Mapping[str, Any], weights: dict[str, Tensor]) -> PreTrainedModel:
    kind = type(build_llm(config))
    with quiet():
        loaded: Any = kind.from_pretrained(
            None,
            config=_llm_config(config),
            state_dict=weights,
            dtype="float32",
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
        raise _torn(place, f"the weights of {name} do not fit: {str(error).splitlines()[-1].strip()}") from error


def _torn(place: Path, what: str) -> UserError:
    return UserError(f"{place}: {what}; copy or fetch the model again")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")
