"""The LLM on disk: Hugging Face's format, and grid positions beside it where the LLM brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.utils.checkpoint import checkpoint
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from cambrian.errors import UserError
from cambrian.model.grid_positions import GridPositions

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
GRID_POSITIONS = "grid_positions.safetensors"


@dataclass(frozen=True, kw_only=True)
class Language:
    """An LLM with what belongs to it."""

    llm: LlamaForCausalLM
    tokenizer: Tokenizer
    grid_positions: GridPositions | None
    """None for an LLM that knows the place of a visual token by itself."""


def save_language(language: Language, directory: Path) -> None:
    """Write the LLM, its tokenizer and its grid positions into `directory`."""
    with _quiet():
        language.llm.save_pretrained(directory)
        PreTrainedTokenizerFast(tokenizer_object=language.tokenizer).save_pretrained(directory)
    if language.grid_positions is not None:
        save_file(language.grid_positions.state_dict(), directory / GRID_POSITIONS)


def load_language(directory: Path) -> Language:
    """Read an LLM in evaluation mode, weights in float32 on the CPU.

    Raises:
        UserError: if the directory holds none.
    """
    missing = [name for name in (CONFIG, TOKENIZER) if not (directory / name).is_file()]
    if missing:
        raise UserError(f"{directory} holds no LLM in Hugging Face's format: {', '.join(missing)} missing")
    with _quiet():
        llm = LlamaForCausalLM.from_pretrained(directory, dtype="float32", local_files_only=True)
    assert isinstance(llm, LlamaForCausalLM)
    return Language(
        llm=llm.eval(),
        tokenizer=Tokenizer.from_file(str(directory / TOKENIZER)),
        grid_positions=_load_grid_positions(directory / GRID_POSITIONS),
    )


def recompute_activations(llm: LlamaForCausalLM) -> None:
    """Keep only what goes into each decoder layer; the backward pass computes the rest once more.

    What transformers offers does nothing in a frozen LLM, through which gradients flow to the connector all
    the same. Hooks on the layers (aggregation inside the LLM) stay outside and run once.
    """
    for layer in llm.model.layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def _load_grid_positions(path: Path) -> GridPositions | None:
    if not path.is_file():
        return None
    weights = load_file(path)
    positions = GridPositions(*weights["rows.weight"].shape)
    positions.load_state_dict(weights)
    return positions


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars off the screen; as they were afterwards."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
