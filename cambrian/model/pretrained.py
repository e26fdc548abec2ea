"""Pretrained LLMs from outside: found or fetched, read in safety, checked, and written for the store."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from torch import nn
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

from cambrian.data.tokenization import ChatTokenizer
from cambrian.errors import UserError
from cambrian.hub import CONFIG, MODEL_FILES, SIZES, llm_sizes, read_config
from cambrian.local_weights import checksums, fingerprint
from cambrian.model.language import Language, read_llm, save_language, special_tokens
from cambrian.quiet import quiet


def import_language(
    recipe: Mapping[str, Any], payload: Path, *, copies: Mapping[str, str], download: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the LLM that `recipe` names into `payload`: config, weights in shards, tokenizer.

    Args:
        recipe: `content` of a local model, or `model` and `revision` of the hub; `template`, `architecture`.
        payload: empty directory.
        copies: content of a local model -> its directory.
        download: whether the hub may be asked for what is not in its cache.

    Returns:
        Metrics, and the facts of where all came from: name, commit, checksum of every file.

    Raises:
        UserError: if it cannot be had or read, or is not what the recipe says.
    """
    directory, facts = _locate(recipe, copies, download)
    sums = checksums(directory)
    if "content" in recipe and fingerprint(directory) != recipe["content"]:
        raise UserError(f"{directory} has changed since this was planned; give the same command again")
    language = read_pretrained(directory)
    _check_sizes(directory, recipe["architecture"])
    _check_head(directory, language)
    ChatTokenizer(language.tokenizer, template=recipe["template"], image_positions=1, max_tokens=1)
    save_language(language, payload)
    metrics = {
        "parameters": language.llm.num_parameters(),
        "tokens": language.tokenizer.get_vocab_size(with_added_tokens=True),
    }
    return metrics, {"source": {**facts, "files": sums}}


def read_pretrained(directory: Path, dtype: str = "auto") -> Language:
    """Read any causal LM in Hugging Face's format, in evaluation mode on the CPU.

    The tokenizer is what transformers makes of the files, once and for all: what `save_language` writes is
    read back as it is.

    Args:
        directory: with config.json, *.safetensors and the tokenizer's files.
        dtype: of the weights; auto keeps that of the files.

    Raises:
        UserError: if it holds pickled weights alone, code that would have to be run, or nothing of the kind.
    """
    try:
        with quiet():
            llm = read_llm(directory, dtype)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(f"transformers cannot read the LLM in {directory}: {error}") from error
    tokenizer = read_tokenizer(directory)
    backend = tokenizer.backend_tokenizer
    embeddings = llm.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding), type(embeddings)
    largest = max(backend.get_vocab(with_added_tokens=True).values())
    if largest >= embeddings.num_embeddings:
        raise UserError(
            f"{directory}: the tokenizer has token {largest}, the LLM only {embeddings.num_embeddings} "
            "embeddings; they do not belong together"
        )
    return Language(llm=llm, tokenizer=backend, grid_positions=None, tokens=special_tokens(tokenizer))


def read_tokenizer(directory: Path, family: PreTrainedConfig | None = None) -> PreTrainedTokenizerFast:
    """Read the tokenizer of any LLM in Hugging Face's format, as transformers makes it of the files.

    `family` is the LLM's configuration if config.json is of a type that transformers does not know.

    Raises:
        UserError: if there is none, it has no form as a tokenizer.json, or a package is missing to read it.
    """
    spelt_out = (directory / "tokenizer.json").is_file() or not (directory / "tokenizer.model").is_file()
    if not spelt_out and find_spec("sentencepiece") is None:
        raise UserError(
            f"{directory} has its tokenizer as tokenizer.model alone, which needs a package to be read: "
            "pip install sentencepiece"
        )
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                directory, config=family, local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(f"transformers cannot read the tokenizer in {directory}: {error}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(
            f"{directory}: {type(tokenizer).__name__} has no form as a tokenizer.json, which is needed; "
            "choose a model that has one"
        )
    return tokenizer


def _locate(
    recipe: Mapping[str, Any], copies: Mapping[str, str], download: bool
) -> tuple[Path, dict[str, Any]]:
    """Give the directory with the files, fetched if need be, and what is known of it."""
    if "content" in recipe:
        place = copies.get(recipe["content"])
        if place is None:
            raise UserError(
                f"where the local LLM {recipe['content'][:12]} lies is not known here; name its directory "
                "as llm.model"
            )
        return Path(place), {"directory": place}
    model, revision = recipe["model"], recipe["revision"]
    patterns = [f"*{ending}" for ending in MODEL_FILES]
    try:
        place = snapshot_download(
            model, revision=revision, allow_patterns=patterns, local_files_only=not download
        )
    except LocalEntryNotFoundError as error:
        raise UserError(_absent(model, revision, download)) from error
    except HfHubHTTPError as error:
        raise UserError(
            f"the hub does not give {model} (revision {revision}): {error}; check the name, accept "
            "the model's licence there, and log in with 'hf auth login'"
        ) from error
    if not download and not any(Path(place).glob("*.safetensors")):
        raise UserError(_absent(model, revision, download))
    return Path(place), {"model": model, "revision": revision, "commit": Path(place).name}


def _absent(model: str, revision: str, download: bool) -> str:
    if download:
        return f"the hub cannot be reached, and {model} (revision {revision}) is not whole in its cache"
    return (
        f"{model} (revision {revision}) is not whole in Hugging Face's cache on this machine: "
        f"runtime.download=true fetches it, and so does 'hf download {model} --revision {revision}'"
    )


def _check_sizes(directory: Path, architecture: Mapping[str, Any]) -> None:
    """Refuse a model that is another than the one that was planned and priced."""
    config = read_config(str(directory), "")
    assert config is not None, directory
    real = llm_sizes(config)
    wrong = [f"{name} is {real[name]}" for name in SIZES if real[name] != architecture.get(name)]
    if wrong:
        raise UserError(
            f"{directory / CONFIG} is not the planned architecture {dict(architecture)}: {', '.join(wrong)}; "
            "correct the configuration, or the model's name"
        )


@torch.inference_mode()
def _check_head(directory: Path, language: Language) -> None:
    """Refuse an LLM that does more after its last layer than apply its head: training would not."""
    llm, head = language.llm, language.llm.get_output_embeddings()
    assert head is not None, "a causal LM has a head"
    token = torch.zeros(1, 1, dtype=torch.long)
    logits = llm(input_ids=token, use_cache=False).logits
    ours = head(llm.get_decoder()(input_ids=token, use_cache=False).last_hidden_state)
    if not torch.isfinite(logits).all():
        raise UserError(f"{directory}: its logits are not finite; copy or fetch the model again")
    if not torch.equal(ours, logits):
        raise UserError(
            f"{type(llm).__name__} in {directory} changes the logits after its head (caps or scales them), "
            "which is not supported; choose another LLM"
        )
