"""Training data of the lab: captioned and questioned scenes, with a cache of their pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
from filelock import FileLock

from cambrian.data.conversation import Conversation, Turn
from cambrian.data.pictures import Size, View
from cambrian.lab.captions import caption
from cambrian.lab.questions import SOLVED, questions_for
from cambrian.lab.render import render_batch
from cambrian.lab.world import WORLD_VERSION, Scene, make_scene

TURNS_PER_IMAGE = 8
"""Question-answer pairs packed behind one image: the picture's tokens are paid for once."""

_SPLITS = {"caption": "align", "instruct": "instruct"}
_BLOCK = 1000
"""Pictures per cache file; corpora of all sizes share the blocks."""


class LabCorpus:
    """Conversation `i` depends on (kind, seed, i) alone, so a smaller corpus is a prefix of a larger one."""

    def __init__(
        self, kind: Literal["caption", "instruct"], size: int, seed: int, cache: Path | None = None
    ) -> None:
        self.kind: Literal["caption", "instruct"] = kind
        self.size = size
        self.seed = seed
        self.cache = cache
        self._blocks: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return self.size

    def scene(self, index: int) -> Scene:
        """Return the scene behind conversation `index`."""
        return make_scene(self.seed, _SPLITS[self.kind], index)

    def conversation(self, index: int) -> Conversation:
        """Write conversation `index`: one caption, or about eight questions with their answers."""
        assert 0 <= index < self.size, index
        scene = self.scene(index)
        rng = Random(f"words/{WORLD_VERSION}/{self.kind}/{self.seed}/{index}")  # noqa: S311
        if self.kind == "caption":
            turns = (Turn(question="", answer=caption(scene, rng)),)
        else:
            turns = tuple(turn for _, turn in questions_for(scene, rng, TURNS_PER_IMAGE, SOLVED))
        return Conversation(id=f"{self.kind}-{self.seed}-{index}", image=index, turns=turns)

    def place(self, index: int) -> str:
        """Conversations are made, and stand in no file."""
        return ""

    def image_size(self, image: int) -> Size | None:
        """All are square."""
        return None

    def pictures(self, indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        """Pictures for every view; they are square, so no padding is seen."""
        return {view: self.images(indices, view.resolution) for view in dict.fromkeys(views)}

    def images(self, indices: Sequence[int], resolution: int) -> np.ndarray:
        """Pictures as uint8 (B, R, R, 3), from the cache if there is one."""
        if self.cache is None:
            return render_batch([self.scene(index) for index in indices], resolution)
        pictures = np.empty((len(indices), resolution, resolution, 3), np.uint8)
        for row, index in enumerate(indices):
            block, offset = divmod(index, _BLOCK)
            pictures[row] = self._block(block, resolution)[offset]
        return pictures

    def _block(self, number: int, resolution: int) -> np.ndarray:
        key = (number, resolution)
        if key not in self._blocks:
            assert self.cache is not None
            name = f"lab-v{WORLD_VERSION}-{_SPLITS[self.kind]}-{self.seed}-{resolution}-{number}.npy"
            path = self.cache / "images" / name
            if not path.exists():
                self._write_block(path, number, resolution)
            self._blocks[key] = np.load(path, mmap_mode="r")
        return self._blocks[key]

    def _write_block(self, path: Path, number: int, resolution: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if path.exists():
                return
            first = number * _BLOCK
            pictures = render_batch([self.scene(first + offset) for offset in range(_BLOCK)], resolution)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
                try:
                    np.save(file, pictures)
                except OSError:  # a full disk: what is there of it is of no use
                    Path(file.name).unlink()
                    raise
            Path(file.name).replace(path)


def pretrain_batch(seed: int, step: int, size: int) -> list[Scene]:
    """Scenes never seen before, for step `step` of pre-training an encoder or the language model."""
    return [make_scene(seed, "pretrain", step * size + offset) for offset in range(size)]
