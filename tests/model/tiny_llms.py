"""Tiny LLMs of each family with tokenizers in the families' own formats, as the hub has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import ByteLevel, Sequence, TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

LINES = [
    "USER: What is this? ASSISTANT: the cat sat on the mat, and the dog too.",
    "system user assistant How many red cubes are there? There are two red cubes.",
    "A chat between a curious user and an artificial intelligence assistant.",
    "You are Cambrian, a highly intelligent multimodal AI trained by NYU Vision X.",
] * 3
LLAMA_3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHATML_FORM = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_3_FORM = (
    "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}<|start_header_id|>{{ m['role'] }}"
    "<|end_header_id|>\n\n{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
PHI_3_FORM = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
VICUNA_FORM = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] + ' ' }}"
    "{% elif m['role'] == 'user' %}USER: {{ m['content'] }} ASSISTANT:"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)


def sentencepiece(prefix: str, special: tuple[str, ...] = (), *, swallow: bool = False) -> Tokenizer:
    """BPE with byte fallback as Llama's tokenizer.json; `prefix` says where a space is put in front.

    always (a normalizer, as in files of Llama-2), first (at the very beginning alone) or never (Yi). The
    beginning token is added by the tokenizer itself. `swallow`: special tokens drop the white space after.
    """
    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learner.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=220, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learned["vocab"]]
    tokenizer = Tokenizer(
        models.BPE(
            {piece: index for index, piece in enumerate(pieces)},
            [tuple(merge) for merge in learned["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    if prefix == "always":
        steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        tokenizer.normalizer = normalizers.Sequence(steps)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prefix, split=False)
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    strip = [] if prefix == "never" else [decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence([*steps, *strip])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, rstrip=swallow) for t in special])
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def byte_level(special: tuple[str, ...], begin: str | None = None) -> Tokenizer:
    """Byte-level BPE as Llama-3's, Qwen2's and SmolLM2's; `begin` is added by the tokenizer itself."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=begin is not None))
    tokenizer.normalizer = None if begin else normalizers.NFC()
    split = pre_tokenizers.Split(Regex(LLAMA_3_SPLIT), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        LINES, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    tokenizer.post_processor = ByteLevel(trim_offsets=True)
    if begin is not None:
        own = TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))])
        tokenizer.post_processor = Sequence([ByteLevel(trim_offsets=True), own])
    # Some files of the hub ship this, set for something else.
    tokenizer.enable_truncation(7)
    return tokenizer


@dataclass(frozen=True, kw_only=True)
class Family:
    """An LLM family as the hub has it."""

    template: str
    tokenizer: Callable[[], Tokenizer]
    form: str
    """Its chat template in Jinja."""
    config: Callable[..., PreTrainedConfig]
    tokens: dict[str, str]
    tokenizer_class: str = "PreTrainedTokenizerFast"


_CHATML = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
_LLAMA_3 = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_PHI_3 = ("<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
_OLD = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}

FAMILIES = {
    "vicuna": Family(
        template="vicuna_v1",
        tokenizer=lambda: sentencepiece("always"),
        form=VICUNA_FORM,
        config=LlamaConfig,
        tokens=_OLD,
        tokenizer_class="LlamaTokenizer",  # rebuilt by transformers: a space at the beginning alone
    ),
    "vicuna_legacy": Family(
        template="vicuna_v1",
        tokenizer=lambda: sentencepiece("always"),
        form=VICUNA_FORM,
        config=LlamaConfig,
        tokens=_OLD,
    ),
    "llama3": Family(
        template="llama_3",
        tokenizer=lambda: byte_level(_LLAMA_3, "<|begin_of_text|>"),
        form=LLAMA_3_FORM,
        config=lambda **sizes: LlamaConfig(
            **sizes, rope_parameters={"rope_type": "default", "rope_theta": 500000.0}
        ),
        tokens={"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    ),
    "yi": Family(
        template="chatml",
        tokenizer=lambda: sentencepiece("never", _CHATML[:2]),
        form=CHATML_FORM,
        config=LlamaConfig,
        tokens=_OLD | {"eos_token": "<|im_end|>"},
    ),
    "phi3": Family(
        template="phi3",
        tokenizer=lambda: sentencepiece("always", _PHI_3, swallow=True),
        form=PHI_3_FORM,
        config=lambda **sizes: Phi3Config(**sizes, sliding_window=12),
        tokens=_OLD | {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        tokenizer_class="LlamaTokenizer",
    ),
    "qwen2": Family(
        template="qwen2_5",
        tokenizer=lambda: byte_level(_CHATML),
        form=CHATML_FORM,
        config=lambda **sizes: Qwen2Config(**sizes, tie_word_embeddings=True),
        tokens={"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    ),
    "smollm2": Family(
        template="smollm2",
        tokenizer=lambda: byte_level(_CHATML),
        form=CHATML_FORM,
        config=lambda **sizes: LlamaConfig(**sizes, tie_word_embeddings=True),
        tokens={"eos_token": "<|im_end|>"},
    ),
    "mistral": Family(
        template="chatml",
        tokenizer=lambda: byte_level(_CHATML),
        form=CHATML_FORM,
        config=lambda **sizes: MistralConfig(**sizes, sliding_window=16),
        tokens={"eos_token": "<|im_end|>"},
    ),
    "gemma": Family(
        template="chatml",
        tokenizer=lambda: byte_level(_CHATML),
        form=CHATML_FORM,
        config=lambda **sizes: GemmaConfig(**sizes, head_dim=16),
        tokens={"eos_token": "<|im_end|>"},
    ),
    # Two layers of three keep the end of a convolution instead of keys and values.
    "lfm2": Family(
        template="chatml",
        tokenizer=lambda: byte_level(_CHATML),
        form=CHATML_FORM,
        config=lambda **sizes: Lfm2Config(**sizes, layer_types=["conv", "full_attention", "conv"]),
        tokens={"eos_token": "<|im_end|>"},
    ),
}

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.3,
}


@cache
def family_tokenizer(name: str) -> PreTrainedTokenizerFast:
    family = FAMILIES[name]
    return PreTrainedTokenizerFast(
        tokenizer_object=family.tokenizer(), chat_template=family.form, **family.tokens
    )


def write_llm(directory: Path, name: str, **changes: Any) -> Path:
    """Write a tiny LLM with random weights: a padded vocabulary, mostly without a pad token."""
    family, tokenizer = FAMILIES[name], family_tokenizer(name)
    rows = 64 * (len(tokenizer) // 64 + 1)
    ids = {
        f"{role}_token_id": tokenizer.convert_tokens_to_ids(family.tokens[f"{role}_token"])
        if f"{role}_token" in family.tokens
        else None
        for role in ("bos", "eos", "pad")
    }
    torch.manual_seed(len(name))
    config = family.config(**{"vocab_size": rows, **SIZES, **ids, **changes})
    directory.mkdir()
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    settings = directory / "tokenizer_config.json"
    settings.write_text(
        json.dumps({**json.loads(settings.read_text()), "tokenizer_class": family.tokenizer_class})
    )
    return directory
