"""Models in Hugging Face's format, as far as planning needs them: where they lie and their sizes.

Nothing here reaches the network: a model is a directory, or an id whose files are in Hugging Face's cache.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cambrian.errors import UserError

CONFIG = "config.json"
MODEL_FILES = (".json", ".safetensors", ".model", ".jinja", ".txt")
"""Endings of the files that make up a model: sizes, weights, tokenizer, chat template."""

SIZES = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "intermediate": "intermediate_size",
    "heads": "num_attention_heads",
    "key_value_heads": "num_key_value_heads",
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
}
"""Our names of an LLM's sizes -> transformers'."""


def find_directory(model: str) -> Path | None:
    """Give the directory that `model` names, None if it is an id of the hub.

    Raises:
        UserError: if it is neither.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.is_absolute() or model.startswith(("~", ".")) or model.count("/") != 1:
        raise UserError(f"there is no directory '{model}'; an id of the hub reads ORGANISATION/NAME")
    return None


def read_config(model: str, revision: str) -> dict[str, Any] | None:
    """Read the config.json of a directory, or of an id of the hub; None if the cache lacks that.

    Raises:
        UserError: if there is no such directory, it has no config.json, or that is not readable.
    """
    directory = find_directory(model)
    if directory is not None:
        path = directory / CONFIG
        if not path.is_file():
            raise UserError(f"{directory} holds no model in Hugging Face's format: {CONFIG} is missing")
    else:
        from huggingface_hub import try_to_load_from_cache  # a third of a second, for this choice alone

        cached = try_to_load_from_cache(model, CONFIG, revision=revision)
        if not isinstance(cached, str):
            return None
        path = Path(cached)
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}; copy or fetch the model again") from None


def llm_sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give the architecture, as conf/llm writes it, of the LLM that a config.json describes.

    Raises:
        UserError: naming what is missing, if it describes none that is a plain decoder.
    """
    config = {"num_key_value_heads": config.get("num_attention_heads"), **config}
    missing = [theirs for theirs in SIZES.values() if not isinstance(config.get(theirs), int)]
    if missing:
        raise UserError(
            f"a model of type '{config.get('model_type')}' without {', '.join(missing)} in its {CONFIG} is "
            "no LLM that can be used here: it must be a decoder of like layers (Llama, Mistral, Qwen2, ...)"
        )
    sizes: dict[str, Any] = {ours: config[theirs] for ours, theirs in SIZES.items()}
    head = config.get("head_dim")
    if head and head * sizes["heads"] != sizes["hidden"]:
        sizes["head"] = head
    if config.get("tie_word_embeddings", True):
        sizes["tied"] = True
    return sizes
