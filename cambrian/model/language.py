"""The LLM on disk: Hugging Face's format, and grid positions beside it where the LLM brings them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from cambrian.errors import UserError
from cambrian.model.grid_positions import GridPositions
from cambrian.quiet import quiet

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
GRID_POSITIONS = "grid_positions.safetensors"
PICKLES = (".bin", ".pt", ".pth")
"""Endings of files that could run code when they are read."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """An LLM with what belongs to it."""

    llm: PreTrainedModel
    """A causal LM of any family whose decoder is a stack of like layers."""
    tokenizer: Tokenizer
    grid_positions: GridPositions | None
    """None for an LLM that knows the place of a visual token by itself."""
    tokens: Mapping[str, Any] = field(default_factory=dict)
    """What transformers keeps beside a tokenizer: names of special tokens, the family's own chat template."""
    dtype: torch.dtype = torch.float32
    """Of the weights in the files it came from: what is trained from them is published in the same type."""


def save_language(language: Language, directory: Path) -> None:
    """Write the LLM, its tokenizer and its grid positions into `directory`."""
    with quiet():
        language.llm.save_pretrained(directory, max_shard_size="5GB")
    save_tokenizer(language, directory)
    if language.grid_positions is not None:
        save_file(language.grid_positions.state_dict(), directory / GRID_POSITIONS)


def load_language(directory: Path) -> Language:
    """Read an LLM that `save_language` wrote, in evaluation mode on the CPU, weights in their files' type.

    Weights stay in the files until they are used or changed, and take no memory of this process's own.

    Raises:
        UserError: if the directory holds none.
    """
    missing = [name for name in (CONFIG, TOKENIZER) if not (directory / name).is_file()]
    if missing:
        raise UserError(f"{directory} holds no LLM in Hugging Face's format: {', '.join(missing)} missing")
    with quiet():
        llm = read_llm(directory, "auto")
    tokenizer, tokens = load_tokenizer(directory)
    positions = _load_grid_positions(directory / GRID_POSITIONS)
    return Language(
        llm=llm,
        tokenizer=tokenizer,
        grid_positions=positions,
        tokens=tokens,
        dtype=llm.dtype,
    )


def save_tokenizer(language: Language, directory: Path) -> None:
    """Write the tokenizer into `directory`, with the names of its special tokens."""
    with quiet():
        wrapped = PreTrainedTokenizerFast(tokenizer_object=language.tokenizer, **language.tokens)
        wrapped.save_pretrained(directory)


def load_tokenizer(directory: Path) -> tuple[Tokenizer, dict[str, Any]]:
    """Read a tokenizer that `save_tokenizer` wrote, and what belongs to it."""
    with quiet():
        wrapped = PreTrainedTokenizerFast.from_pretrained(directory, local_files_only=True)
    return Tokenizer.from_file(str(directory / TOKENIZER)), special_tokens(wrapped)


def read_llm(directory: Path, dtype: str) -> PreTrainedModel:
    """Read a causal LM of any family from safetensors, nothing else; no code that lies with it is run.

    Raises:
        UserError: if weights are missing or pickled, or its layers are not where they can be reached.
        OSError, ValueError: whatever else transformers does not accept.
    """
    if not any(directory.glob("*.safetensors")):
        pickled = [path.name for path in sorted(directory.iterdir()) if path.suffix in PICKLES]
        raise UserError(
            f"{directory} holds no weights as *.safetensors"
            + (
                f", and pickles such as {pickled[0]} are not read: docs/your-llm.md converts"
                if pickled
                else ""
            )
        )
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        directory,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    llm, report = loaded
    absent = sorted(report["missing_keys"]) + [str(key[0]) for key in report["mismatched_keys"]]
    if absent:
        raise UserError(
            f"{directory}: {len(absent)} weights are missing or of another shape, such as {absent[0]}; "
            "copy or fetch the model again"
        )
    decoder_layers(llm)
    return llm.eval()


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Names of the special tokens, and the family's own chat template if there is one."""
    named = dict(tokenizer.special_tokens_map)
    return named if tokenizer.chat_template is None else {**named, "chat_template": tokenizer.chat_template}


def decoder_layers(llm: PreTrainedModel) -> nn.ModuleList:
    """Give the layers of the decoder, in their order.

    Raises:
        UserError: if the LLM is not built like that.
    """
    layers = getattr(llm.get_decoder(), "layers", None)
    if not isinstance(layers, nn.ModuleList):
        raise UserError(
            f"{type(llm).__name__} has no list of decoder layers (model.layers), between which visual tokens "
            "could be updated; use an LLM built like Llama: Llama, Mistral, Qwen2, Phi-3, Gemma, ..."
        )
    return layers


def recompute_activations(llm: PreTrainedModel) -> None:
    """Keep only what goes into each decoder layer; the backward pass computes the rest once more.

    What transformers offers does nothing in a frozen LLM, through which gradients flow to the connector all
    the same. Hooks on the layers (aggregation inside the LLM) stay outside and run once.
    """
    for layer in decoder_layers(llm):
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def _load_grid_positions(path: Path) -> GridPositions | None:
    if not path.is_file():
        return None
    weights = load_file(path)
    positions = GridPositions(*weights["rows.weight"].shape)
    positions.load_state_dict(weights)
    return positions
