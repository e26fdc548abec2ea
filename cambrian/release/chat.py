"""Answering questions about one image file with a finished model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from cambrian.data.pictures import View, prepare, read_picture
from cambrian.model.generation import Request, answer
from cambrian.model.mllm import MultimodalLLM


def answer_questions(
    model: MultimodalLLM, image: Path, questions: Iterable[str], max_new_tokens: int
) -> Iterator[str]:
    """Answer each question about `image` greedily, as soon as it is asked; none knows of those before.

    Raises:
        BadImageError: if the image cannot be used, before the first question is taken.
    """
    picture = read_picture(image)
    prepared = prepare(picture, model.views)

    def show(indices: Sequence[int], views: Sequence[View]) -> Mapping[View, np.ndarray]:
        return {view: array[None].repeat(len(indices), 0) for view, array in prepared.items()}

    for question in questions:
        request = Request(id=question, question=question, image=0, size=picture.size)
        said = answer(
            model,
            [request],
            show,
            vision=True,
            batch_size=1,
            max_new_tokens=max_new_tokens,
            progress=lambda _done, _total: None,
        )
        yield said[0].strip()
