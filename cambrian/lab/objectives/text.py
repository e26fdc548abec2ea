"""The text side of image-text training: phrases, hard negatives, and a tower that is thrown away after."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.encoders.layers import Block
from cambrian.lab.world import COLOURS, COLUMNS, DEPTHS, LETTERS, NUMBERS, ROWS, SHAPES, SIDE, Scene, place

PAD = 0
PHRASES = 4
"""Most phrases of one text."""
LONGEST = 5
"""Most words of one phrase."""
RIVALS = (COLOURS, SHAPES, DEPTHS, LETTERS, NUMBERS[1:9])
"""Kinds of words; exchanging a word for another of its kind leaves a plausible phrase."""
WORDS = ("bar", "letter", *ROWS, *COLUMNS, *(word for kind in RIVALS for word in kind))
"""All words of the texts."""


def describe(scene: Scene, rng: Random) -> list[str]:
    """Write the text that goes with a scene in pre-training: a phrase for each thing, often with its place.

    It is apart from the lab's captions, so that these may change without any encoder changing.
    """
    if scene.letters:
        parts = [
            (f"letter {letter}", scene.row * SIDE + column) for column, letter in enumerate(scene.letters)
        ]
    elif scene.bars:
        # A bar fills several cells, so it is told by its colour and never by a place.
        return [f"bar {bar.colour} {NUMBERS[bar.value]}" for bar in scene.bars]
    else:
        named = sorted(rng.sample(range(len(scene.things)), min(PHRASES, len(scene.things))))
        things = [scene.things[number] for number in named]
        parts = [(f"{thing.depth} {thing.colour} {thing.shape}", thing.cell) for thing in things]
    with_place = rng.random() < 0.5
    return [f"{phrase} {place(cell)}" if with_place else phrase for phrase, cell in parts]


class Lexicon:
    """Words to numbers, and the words that may stand in for each other."""

    def __init__(self, words: Sequence[str], rivals: Sequence[Sequence[str]]) -> None:
        self.index = {word: number for number, word in enumerate(words, start=1)}
        self.size = len(words) + 1
        self.rivals = {
            self.index[word]: [self.index[other] for other in kind if other != word]
            for kind in rivals
            for word in kind
        }

    def encode(self, phrase: str) -> list[int]:
        """Numbers of the words of `phrase`."""
        return [self.index[word] for word in phrase.split()]

    def exchange(self, words: Sequence[int], count: int, rng: Random) -> list[list[int]]:
        """Write `count` other phrases, one word exchanged in each, every word that has rivals in turn."""
        places = [position for position, word in enumerate(words) if word in self.rivals]
        rng.shuffle(places)
        others = [list(words) for _ in range(count)]
        for number, other in enumerate(others):
            position = places[number % len(places)]
            other[position] = rng.choice(self.rivals[words[position]])
        return others

    def tensor(self, texts: Sequence[Sequence[str]], exchanges: int, rng: Random) -> Tensor:
        """Phrases and their exchanged forms: int64 (texts, PHRASES, 1 + exchanges, LONGEST), else PAD."""
        words = np.full((len(texts), PHRASES, 1 + exchanges, LONGEST), PAD, dtype=np.int64)
        for number, phrases in enumerate(texts):
            for position, phrase in enumerate(phrases):
                true = self.encode(phrase)
                forms = [true, *self.exchange(true, exchanges, rng)]
                words[number, position, :, : len(true)] = forms
        return torch.from_numpy(words)


class TextTower(nn.Module):
    """A tiny transformer that gives every phrase a unit vector."""

    def __init__(self, *, vocabulary: int, width: int, heads: int, embedding: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, padding_idx=PAD)
        self.places = nn.Parameter(torch.randn(LONGEST, width) * 0.02)
        self.block = Block(width, heads, 2)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, embedding, bias=False)

    def forward(self, words: Tensor) -> Tensor:
        """Embed phrases of `words` (n, T), each with at least one, as (n, E)."""
        real = words != PAD
        x = self.block(self.words(words) + self.places, real[:, None, None, :])
        mean = (x * real[:, :, None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
        return F.normalize(self.out(self.norm(mean)), dim=-1)
