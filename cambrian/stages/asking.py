"""Asking one model all questions of one benchmark, with the pictures and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from cambrian.benchmarks.answering import candidates_of
from cambrian.benchmarks.material import Material, Shown, blocks
from cambrian.benchmarks.records import Prediction, Question
from cambrian.data.pictures import View
from cambrian.feed import Ahead
from cambrian.model.generation import Request, answer_in_parts
from cambrian.model.mllm import MultimodalLLM
from cambrian.stages.kept_answers import KeptAnswers, answer_key, pixels_digest

BATCH_SIZE = 64
"""Prompts answered at the same time; answers do not depend on it."""
DEPTH = 1
"""Blocks of pictures that wait ready while one is asked about."""


class _Block(NamedTuple):
    """Questions whose pictures are in memory together."""

    places: list[int]
    """Among all questions."""
    shown: Shown


@dataclass(kw_only=True)
class Asking:
    """Asks one model all questions of one benchmark, and counts what it does."""

    model: MultimodalLLM
    material: Material
    max_new_tokens: int
    matcher: str = ""
    """Of the benchmark, to answer by the likeliest option; empty to generate answers."""
    batch_size: int = BATCH_SIZE
    share: bool = True
    """Whether what the prompts about a picture have in common is read once."""
    kept: KeptAnswers | None = None
    """Answers that are known and need not be asked for; new ones are added. None: every question is asked."""
    report: Callable[[int, int], None] = lambda done, total: None
    """Called with answers given and answers in all; what it raises ends the asking."""
    faults: dict[str, str] = field(default_factory=dict)
    """Name of a picture that could not be shown -> why."""
    asked: int = 0
    """Questions that the model answered."""
    spared: int = 0
    """Questions whose answers were known, or that others equal, as some do without their picture."""
    seconds: float = 0.0
    """Time that these took."""
    _done: int = 0

    def predictions(self) -> list[Prediction]:
        """Answer everything: first with the pictures, then without."""
        return [
            Prediction(id=question.id, vision=vision, prompt=question.prompt, raw=raw)
            for vision, answers in ((True, self.sighted()), (False, self.blind()))
            for question, raw in zip(self.material.questions, answers, strict=True)
        ]

    def sighted(self) -> list[str]:
        """Answer with the pictures, as many at a time as fit into memory; empty where one cannot be shown."""
        questions = self.material.questions
        answers = [""] * len(questions)
        with closing(Ahead(self._shown(), DEPTH)) as ready:
            for block in ready:
                shown = block.shown
                self.faults |= shown.faults
                good = [place for place in block.places if questions[place].image in shown.places]
                self._done += len(block.places) - len(good)
                requests = [self._request(questions[place], shown) for place in good]
                for place, raw in zip(good, self._answer(requests, shown), strict=True):
                    answers[place] = raw
        return answers

    def blind(self) -> list[str]:
        """Answer without any picture."""
        return self._answer([self._request(question, None) for question in self.material.questions], None)

    def _shown(self) -> Iterator[_Block]:
        """Make pictures ready, block after block."""
        questions, views = self.material.questions, self.model.views
        for places in blocks(questions, views):
            names = list(dict.fromkeys(questions[place].image for place in places))
            yield _Block(places=places, shown=self.material.show(names, views))

    def _request(self, question: Question, shown: Shown | None) -> Request:
        place = None if shown is None else shown.places[question.image]
        return Request(
            id=question.id,
            question=question.prompt,
            image=place,
            size=None if shown is None or place is None else shown.sizes[place],
            candidates=candidates_of(self.matcher, question) if self.matcher else (),
        )

    def _answer(self, requests: Sequence[Request], shown: Shown | None) -> list[str]:
        places: dict[str, list[int]] = {}
        for place, key in enumerate(self._keys(requests, shown)):
            places.setdefault(key, []).append(place)
        known = {} if self.kept is None else self.kept.find(places)
        missing = [key for key in places if key not in known]
        self.spared += len(requests) - len(missing)
        self._tell(sum(len(places[key]) for key in known))
        start = perf_counter()
        parts = answer_in_parts(
            self.model,
            [requests[places[key][0]] for key in missing],
            partial(_pick, shown.pictures if shown else {}),
            vision=shown is not None,
            batch_size=self.batch_size,
            max_new_tokens=self.max_new_tokens,
            share=self.share,
        )
        with closing(parts):
            for part in parts:
                new = {missing[at]: raw for at, raw in part.items()}
                if self.kept is not None:
                    self.kept.keep(new)
                known |= new
                self.asked += len(new)
                self.seconds, start = self.seconds + perf_counter() - start, perf_counter()
                self._tell(sum(len(places[key]) for key in new))
        said = {place: known[key] for key, alike in places.items() for place in alike}
        return [said[place] for place in range(len(requests))]

    def _keys(self, requests: Sequence[Request], shown: Shown | None) -> list[str]:
        if self.kept is None:
            return [str(place) for place in range(len(requests))]
        seen = shown.places.values() if shown else ()
        digests = {place: pixels_digest(shown.pictures, place, self.model.views) for place in seen if shown}
        return [
            answer_key(request, "" if request.image is None else digests[request.image], self.max_new_tokens)
            for request in requests
        ]

    def _tell(self, more: int) -> None:
        self._done += more
        if more:
            self.report(self._done, 2 * len(self.material.questions))


def _pick(
    pictures: Mapping[View, np.ndarray], indices: Sequence[int], views: Sequence[View]
) -> dict[View, np.ndarray]:
    return {view: pictures[view][list(indices)] for view in views}
