from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM

from cambrian.data.conversation import Conversation, Turn
from cambrian.data.pictures import View
from cambrian.encoders.table import build_encoder, save_encoder
from cambrian.errors import BadImageError
from cambrian.model.generation import Request, answer
from cambrian.model.grid_positions import GridPositions
from cambrian.model.language import Language, save_language
from cambrian.model.mllm import MultimodalLLM

SPECIAL = ("<pad>", "<s>", "</s>", "<image>", "<user>", "<assistant>", "<unk>")
WORDS = tuple(f"word{index}" for index in range(40))
CONCAT = {"kind": "concat", "side": 4, "layers": 2, "newline": False}
SVA = {
    "kind": "sva",
    "side": 4,
    "width": 16,
    "heads": 2,
    "depth": 2,
    "groups": [4],
    "newline": True,
    "aggregation": {"start": 0, "stride": 1, "layers": 2},
}
ENCODERS = (
    {"kind": "vit", "resolution": 32, "width": 16, "depth": 1, "heads": 2, "expansion": 2, "stem": 8},
    {"kind": "convnet", "resolution": 64, "width": 16, "depths": [1, 1], "kernel": 3, "expansion": 2},
    {"kind": "pixels", "resolution": 32, "patch": 4},
)

BROKEN, ENDLESS = (1, 4), (8,)
"""Examples whose image is damaged, and one whose question leaves no room for an answer."""
Assemble = Callable[..., MultimodalLLM]


class NoiseCorpus:
    """Conversations of random words about images of noise; every third is text alone."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def conversation(self, index: int) -> Conversation:
        rng = np.random.default_rng([1, index])
        turns = tuple(
            Turn(
                question=" ".join(rng.choice(WORDS, size=rng.integers(1, 6))),
                answer=" ".join(rng.choice(WORDS, size=rng.integers(1, 4))),
            )
            for _ in range(int(rng.integers(1, 4)))
        )
        return Conversation(id=f"noise-{index}", image=None if index % 3 == 2 else index + 100, turns=turns)

    def place(self, index: int) -> str:
        return f"noise.jsonl, line {index + 1}"

    def image_size(self, image: int) -> None:
        return None

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        return noise(indices, views)


class DamagedCorpus(NoiseCorpus):
    """Some of its examples cannot be used."""

    def __init__(self, size: int, broken: Sequence[int] = BROKEN, endless: Sequence[int] = ENDLESS) -> None:
        super().__init__(size)
        self._broken = broken
        self._endless = endless

    def conversation(self, index: int) -> Conversation:
        found = super().conversation(index)
        if index not in self._endless:
            return found
        turn = found.turns[0]
        long = type(turn)(question=" ".join(["word1"] * 200), answer=turn.answer)
        return Conversation(id=found.id, image=found.image, turns=(long,))

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        for image in indices:
            if image - 100 in self._broken:
                raise BadImageError(f"{image}.jpg", "is empty")
        return super().pictures(indices, views)


def noise(indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
    return {view: noise_of(indices, view.resolution) for view in views}


def noise_of(indices: Sequence[int], resolution: int) -> np.ndarray:
    shape = (resolution, resolution, 3)
    return np.stack(
        [np.random.default_rng([2, index]).integers(256, size=shape, dtype=np.uint8) for index in indices]
    )


def ask(model: MultimodalLLM, requests: Sequence[Request], **settings: Any) -> list[str]:
    """Greedy answers about pictures of noise."""
    return answer(model, requests, noise, progress=lambda done, total: None, **settings)


def write_parts(root: Path) -> None:
    """Write `vit`, `convnet`, `pixels` and `language` into `root`, all with random weights."""
    torch.manual_seed(0)
    for architecture in ENCODERS:
        place = root / str(architecture["kind"])
        place.mkdir()
        save_encoder(build_encoder(architecture), place)
    tokenizer = Tokenizer(
        WordLevel({word: index for index, word in enumerate([*SPECIAL, *WORDS])}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    config = LlamaConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=96,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    language = Language(
        llm=LlamaForCausalLM(config), tokenizer=tokenizer, grid_positions=GridPositions(4, 32)
    )
    save_language(language, root / "language")
