"""Corpora made of corpora: several as one, and one whose questions ask for a form of answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cambrian.data.conversation import Conversation, Corpus
from cambrian.data.pictures import Size, View
from cambrian.data.response_format import ask_for_format


@dataclass(frozen=True)
class WithResponseFormat:
    """The conversations of a corpus, with sentences on the form of the answer at the end of questions."""

    corpus: Corpus
    sentences: tuple[str, ...]
    """Of its source; none changes nothing."""

    def __len__(self) -> int:
        return len(self.corpus)

    def conversation(self, index: int) -> Conversation:
        """Give conversation `index`."""
        found = self.corpus.conversation(index)
        if not self.sentences:
            return found
        turns = tuple(
            replace(turn, question=ask_for_format(turn.question, turn.answer, self.sentences))
            for turn in found.turns
        )
        return replace(found, turns=turns)

    def place(self, index: int) -> str:
        """As of the corpus."""
        return self.corpus.place(index)

    def image_size(self, image: int) -> Size | None:
        """As of the corpus."""
        return self.corpus.image_size(image)

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        """As of the corpus."""
        return dict(self.corpus.pictures(indices, views))


class JointCorpus:
    """Some conversations of several corpora, one corpus after the other."""

    def __init__(self, corpora: Sequence[Corpus], chosen: np.ndarray) -> None:
        """Join `corpora`; `chosen` are places in all of them together, (n,) int64."""
        self._corpora = tuple(corpora)
        self._chosen = chosen
        self._starts = np.cumsum([0, *(len(corpus) for corpus in corpora)])

    def __len__(self) -> int:
        return len(self._chosen)

    def conversation(self, index: int) -> Conversation:
        """Give conversation `index`; its image goes by the same index."""
        corpus, place = self._find(index)
        found = self._corpora[corpus].conversation(place)
        return replace(found, image=None if found.image is None else index)

    def place(self, index: int) -> str:
        """As of the corpus that has conversation `index`."""
        corpus, place = self._find(index)
        return self._corpora[corpus].place(place)

    def image_size(self, image: int) -> Size | None:
        """As of the corpus whose conversation has the image.

        Raises:
            BadImageError: if the image cannot be used.
        """
        corpus, place = self._find(image)
        return self._corpora[corpus].image_size(self._image_of(corpus, place))

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        """Give the images as uint8 (B, R, R, 3) for every view, each corpus asked once.

        Raises:
            BadImageError: if an image cannot be used.
        """
        places = [self._find(index) for index in indices]
        found: dict[View, dict[int, np.ndarray]] = {view: {} for view in views}
        for corpus in {corpus for corpus, _ in places}:
            slots = [slot for slot, (of, _) in enumerate(places) if of == corpus]
            images = [self._image_of(corpus, places[slot][1]) for slot in slots]
            for view, pixels in self._corpora[corpus].pictures(images, views).items():
                found[view].update(zip(slots, pixels, strict=True))
        return {
            view: np.stack([by_slot[slot] for slot in range(len(places))]) for view, by_slot in found.items()
        }

    def _find(self, index: int) -> tuple[int, int]:
        """Which corpus has conversation `index`, and at which place of its own."""
        place = int(self._chosen[index])
        corpus = int(np.searchsorted(self._starts, place, side="right")) - 1
        return corpus, place - int(self._starts[corpus])

    def _image_of(self, corpus: int, place: int) -> int:
        image = self._corpora[corpus].conversation(place).image
        assert image is not None, "a conversation without an image was asked for it"
        return image
