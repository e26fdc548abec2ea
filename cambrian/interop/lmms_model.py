"""A finished model as one of lmms-eval's: `lmms_eval --model cambrian_sweeps --model_args pretrained=MODEL`.

Needs the package `lmms-eval`, which finds this by the entry point `lmms_eval.models`; nothing else here
imports it. Interface: `lmms_eval.api.model.lmms` of 0.7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from lmms_eval.api.model import lmms  # pyright: ignore[reportMissingImports]
from PIL import Image

from cambrian.data.pictures import View, prepare
from cambrian.errors import UserError
from cambrian.model.generation import Request, answer
from cambrian.release.sources import find_model
from cambrian.runtime import Runtime
from cambrian.stages.device import prepare_device
from cambrian.sweep.bucket_store import open_store
from cambrian.sweep.place import locate_store

BATCHES = 8
"""So many batches' pictures are in memory at a time."""
MAX_NEW_TOKENS = 128
"""Where an answer is cut if the task does not say."""


class CambrianSweeps(lmms):
    """Answers greedily, in batches, about one picture or none."""

    is_simple = True

    def __init__(
        self,
        pretrained: str,
        store: str | None = None,
        device: str | None = None,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
        blind: bool = False,
    ) -> None:
        """Load a finished model.

        Args:
            pretrained: run, label or digest of a `tune` stage, or a directory of `cambrian.release save`.
            store: where stages are looked for; by default $CAMBRIAN_STORE, else runs/.
            device: of torch; by default the CPU.
            batch_size: prompts answered at the same time; answers do not depend on it.
            max_batch_size: not used; lmms-eval always gives it.
            blind: leave all pictures out, for the blind score.

        Raises:
            UserError: if there is no such model, or the size of a batch is no number.
        """
        super().__init__()
        if not str(batch_size).isdecimal() or int(batch_size) < 1:
            raise UserError(f"batch_size must be a whole number from 1 on, got '{batch_size}'")
        place = locate_store(store)
        runtime = Runtime(
            store=place.directory,
            bucket=place.url,
            device=device or "cpu",
            threads=torch.get_num_threads(),
        )
        self._model = find_model(pretrained, open_store(runtime)).load(prepare_device(runtime))
        self._batch_size = int(batch_size)
        self._blind = blind

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Answer in the order of `requests`, each cut at the first of its stop texts.

        Raises:
            UserError: if a request shows several pictures or wants answers to be drawn.
        """
        answers: list[str] = []
        step = BATCHES * self._batch_size
        for start in range(0, len(requests), step):
            block = [request.args for request in requests[start : start + step]]
            for (context, settings, *_), said in zip(block, self._answer(block), strict=True):
                text = _until(said, settings.get("until"))
                self.cache_hook.add_partial("generate_until", (context, settings), text)
                answers.append(text)
        return answers

    def loglikelihood(self, requests: Sequence[Any]) -> NoReturn:
        """Refuse: our numbers come from what a model says."""
        raise UserError("cambrian_sweeps answers in words; choose a task whose output_type is generate_until")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> NoReturn:
        """Refuse: no question knows of those before."""
        raise UserError("cambrian_sweeps answers each question by itself; there are no rounds")

    def _answer(self, block: Sequence[tuple[Any, ...]]) -> list[str]:
        """Answer some requests, those of one length limit together."""
        shown = [None if self._blind else self._picture(*arguments) for arguments in block]
        limits = [int(settings.get("max_new_tokens") or MAX_NEW_TOKENS) for _, settings, *_ in block]
        answers = [""] * len(block)
        for limit in sorted(set(limits)):
            chosen = [index for index, one in enumerate(limits) if one == limit]
            said = self._answer_alike([(block[index][0], shown[index]) for index in chosen], limit)
            for index, text in zip(chosen, said, strict=True):
                answers[index] = text
        return answers

    def _answer_alike(
        self, asked: Sequence[tuple[str, Image.Image | None]], max_new_tokens: int
    ) -> list[str]:
        pictures = [picture for _, picture in asked if picture is not None]
        prepared = [prepare(picture, self._model.views) for picture in pictures]
        places = iter(range(len(pictures)))
        requests = [
            Request(
                id=str(number),
                question=context.strip(),
                image=None if picture is None else next(places),
                size=None if picture is None else picture.size,
            )
            for number, (context, picture) in enumerate(asked)
        ]

        def show(indices: Sequence[int], views: Sequence[View]) -> Mapping[View, np.ndarray]:
            return {view: np.stack([prepared[index][view] for index in indices]) for view in views}

        said = answer(
            self._model,
            requests,
            show,
            vision=bool(pictures),
            batch_size=self._batch_size,
            max_new_tokens=max_new_tokens,
            progress=lambda _done, _total: None,
        )
        return [text.strip() for text in said]

    def _picture(
        self,
        context: str,
        settings: Mapping[str, Any],
        show: Callable[[Any], Sequence[Any] | None],
        document: int,
        task: str,
        split: str,
    ) -> Image.Image | None:
        """The picture that a request shows, upright in RGB; none if it shows none."""
        if settings.get("do_sample"):
            raise UserError(f"{task}: cambrian_sweeps answers greedily; set do_sample=False (--gen_kwargs)")
        shown = list(show(self.task_dict[task][split][document]) or ())
        if not shown:
            return None
        if len(shown) > 1 or not isinstance(shown[0], Image.Image):
            raise UserError(f"{task}: cambrian_sweeps is asked about one picture, not about {len(shown)}")
        return shown[0].convert("RGB")


def _until(text: str, stops: object) -> str:
    """Cut a text where the first of its stop texts begins."""
    listed = [stops] if isinstance(stops, str) else stops if isinstance(stops, list | tuple) else []
    for stop in listed:
        if isinstance(stop, str) and stop:
            text = text.partition(stop)[0]
    return text
