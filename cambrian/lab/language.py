"""Pre-training of the lab's tiny LLM on symbolic scenes, captions, and text alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from cambrian.data.batching import Batch, collate
from cambrian.data.conversation import Conversation, Turn
from cambrian.data.tokenization import IGNORED, Example
from cambrian.errors import UserError
from cambrian.lab.captions import caption
from cambrian.lab.corpus import pretrain_batch
from cambrian.lab.initial import start_with_lookups
from cambrian.lab.questions import TASKS, questions_for
from cambrian.lab.symbolic import (
    language_states,
    make_chat,
    make_tokenizer,
    symbol_ids,
    symbolic_accuracy,
)
from cambrian.lab.world import SIDE, WORLD_VERSION, Scene
from cambrian.model.grid_positions import GridPositions
from cambrian.model.language import Language, recompute_activations, save_language
from cambrian.task import Amount, Prepared
from cambrian.training import Conditions, ParameterGroup, fit, read_schedule, split_decay

PROOF_QUESTIONS = 300
"""Test questions per task for the accuracies that are reported with the language model."""

_MICRO_BATCH = 16
"""Examples per forward pass where the runtime does not say: of like length, few enough for the cache."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Encoded conversations and the scenes they are about."""

    examples: tuple[Example, ...]
    scenes: tuple[Scene | None, ...]
    """None for text alone."""


Talk = tuple[tuple[Turn, ...], Scene | None]
"""Turns and the scene they are held over; None if it is not shown."""


def make_language(architecture: Mapping[str, Any], seed: int) -> Language:
    """Draw an untrained LLM with grid positions; `architecture` is that part of a recipe."""
    tokenizer = make_tokenizer()
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=architecture["hidden"],
        intermediate_size=architecture["intermediate"],
        num_hidden_layers=architecture["layers"],
        num_attention_heads=architecture["heads"],
        num_key_value_heads=architecture["heads"],
        max_position_embeddings=architecture["positions"],
        initializer_range=architecture["initial_deviation"],
        attention_bias=True,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.token_to_id("<pad>"),
        bos_token_id=tokenizer.token_to_id("<s>"),
        eos_token_id=tokenizer.token_to_id("</s>"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        llm = LlamaForCausalLM(config)
        positions = GridPositions(SIDE, architecture["hidden"])
        start_with_lookups(llm, positions)
    return Language(llm=llm, tokenizer=tokenizer, grid_positions=positions)


class LanguageTask:
    """Training on scenes that are new at every step: questions, captions, and questions asked blind."""

    def __init__(self, language: Language, recipe: Mapping[str, Any], device: str) -> None:
        self._language = language
        self._llm = language.llm
        self._chat = make_chat(language)
        self._recipe = recipe
        self._mixture = recipe["mixture"]
        self._seed = recipe["world"]["seed"]
        self._device = device

    def parameter_groups(self) -> list[ParameterGroup]:
        """All weights, at one rate."""
        optimization = self._recipe["optimization"]
        parameters = [parameter for module in self.state().values() for parameter in module.parameters()]
        return split_decay(
            "language", parameters, lr=optimization["lr"], weight_decay=optimization["weight_decay"]
        )

    def state(self) -> dict[str, nn.Module]:
        """The LLM and its grid positions."""
        assert self._language.grid_positions is not None
        return {"llm": self._llm, "grid_positions": self._language.grid_positions}

    def batch(self, step: int) -> Samples:
        """Conversations about the scenes of `step`, the short ones first.

        Like length in one part of the batch means little padding.
        """
        rng = Random(f"language/{WORLD_VERSION}/{self._seed}/{step}")  # noqa: S311
        size = self._recipe["optimization"]["batch_size"]
        if step < self._mixture["lookups"]["steps"]:
            talks = self._lookups(pretrain_batch(self._seed, step, 2 * size), rng)[:size]
        else:
            talks = [self._converse(scene, rng) for scene in pretrain_batch(self._seed, step, size)]
        pairs = [
            (self._encode(f"{step}-{row}", turns, scene), scene) for row, (turns, scene) in enumerate(talks)
        ]
        pairs.sort(key=lambda pair: len(pair[0].input_ids))
        return Samples(
            examples=tuple(example for example, _ in pairs), scenes=tuple(scene for _, scene in pairs)
        )

    def split(self, batch: Samples, micro_batch: int) -> list[Samples]:
        """Cut into parts."""
        starts = range(0, len(batch.examples), micro_batch)
        return [
            Samples(
                examples=batch.examples[start : start + micro_batch],
                scenes=batch.scenes[start : start + micro_batch],
            )
            for start in starts
        ]

    def prepare(self, part: Samples, /) -> Prepared:
        """Collate the tokens, and the symbols of the scenes that are seen."""
        batch = collate(part.examples, {}, pad_id=self._chat.pad_id, padding="right")
        seen = [scene for scene in part.scenes if scene is not None]
        amount = Amount(
            examples=len(part.examples),
            tokens=int(batch.attention_mask.sum()),
            positions=batch.input_ids.numel(),
        )
        return Prepared(content=(batch, symbol_ids(seen, self._language.tokenizer)), amount=amount)

    def loss(self, content: tuple[Batch, Tensor], /) -> tuple[Tensor, Tensor]:
        """Cross-entropy of answers and captions, summed, and the number of their tokens."""
        batch, symbols = content[0].to(self._device), content[1].to(self._device)
        states = language_states(self._language, batch.input_ids, batch.placeholder, symbols)  # (S, T, H)
        targets = batch.labels[:, 1:]
        supervised = targets != IGNORED
        logits = self._llm.lm_head(states[:, :-1][supervised])  # (M, V)
        return F.cross_entropy(logits.float(), targets[supervised], reduction="sum"), supervised.sum()

    def ids(self, batch: Samples) -> list[str]:
        """Step and row of each scene."""
        return [example.id for example in batch.examples]

    def after_step(self, step: int) -> None:
        """Nothing follows an update."""

    def recompute_activations(self) -> bool:
        """Those of the decoder layers."""
        recompute_activations(self._llm)
        return True

    def _lookups(self, scenes: Sequence[Scene], rng: Random) -> list[Talk]:
        """Ask only what one look answers. Learned first, it makes all the rest quick to learn."""
        lookups = self._mixture["lookups"]
        talks: list[Talk] = []
        for scene in scenes:
            asked = questions_for(scene, rng, rng.randint(1, lookups["turns"]), lookups["tasks"])
            if asked:
                talks.append((tuple(turn for _, turn in asked), scene))
        return talks

    def _converse(self, scene: Scene, rng: Random) -> Talk:
        """Caption a scene, or ask about it, sometimes without showing it."""
        captions, blind = self._mixture["captions"], self._mixture["blind"]
        draw = rng.random()
        if draw < captions:
            return (Turn(question="", answer=caption(scene, rng)),), scene
        most = self._mixture["turns"][scene.kind]
        asked = questions_for(scene, rng, rng.randint(1, most), tuple(TASKS))
        return tuple(turn for _, turn in asked), None if draw < captions + blind else scene

    def _encode(self, name: str, turns: tuple[Turn, ...], scene: Scene | None) -> Example:
        return self._chat.encode(Conversation(id=name, image=None if scene is None else 0, turns=turns))


def train(recipe: Mapping[str, Any], payload: Path, conditions: Conditions) -> dict[str, float]:
    """Pre-train a tiny LLM as `recipe` says and write it into `payload` in Hugging Face's format.

    Returns the final loss and, for every task, the accuracy on test scenes seen as symbolic cells.

    Raises:
        UserError: if the recipe is of another version of the world.
    """
    if recipe["world"]["version"] != WORLD_VERSION:
        raise UserError(
            f"the recipe is for version {recipe['world']['version']} of the lab's world, "
            f"but this is version {WORLD_VERSION}; set world.version={WORLD_VERSION}"
        )
    language = make_language(recipe["architecture"], recipe["seed"])
    for module in (language.llm, language.grid_positions):
        assert module is not None
        module.to(torch.device(conditions.device))  # pyright: ignore[reportArgumentType, reportCallIssue]
    task = LanguageTask(language, recipe, conditions.device)
    result = fit(
        task,
        read_schedule(recipe["optimization"], steps=recipe["optimization"]["steps"], seed=recipe["seed"]),
        replace(conditions, micro_batch=conditions.micro_batch or _MICRO_BATCH),
    )
    for module in (language.llm, language.grid_positions):
        module.cpu()  # pyright: ignore[reportCallIssue, reportOptionalMemberAccess]
    save_language(language, payload)
    return {"loss": result.losses[-1]} | prove(language)


def prove(language: Language) -> dict[str, float]:
    """Measure the accuracy on symbolic test scenes for every task, as `symbolic/<task>`."""
    return {
        f"symbolic/{task}": symbolic_accuracy(language, task, n=PROOF_QUESTIONS, seed=0) for task in TASKS
    }
