"""From questions and raw predictions to a score: pure, so that it can be repeated without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from cambrian.benchmarks.matchers import Matcher, find_matcher
from cambrian.benchmarks.metrics import METRICS, chance, majority, percent
from cambrian.benchmarks.records import Prediction, Question
from cambrian.errors import UserError, unknown_name

_SHOWN = 10
"""Ids named in an error; the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All that decides a score besides the questions and the predictions."""

    id: str
    matcher: str
    """Name in `matchers.MATCHERS`: how an answer is read from the raw text."""
    metric: str
    """Name in `metrics.METRICS`: how right and wrong answers become a number."""
    cluster: str
    """What the interval takes as independent: image, or item where no two questions belong together."""

    def __post_init__(self) -> None:
        find_matcher(self.matcher)
        for what, name, known in (("metric", self.metric, METRICS), ("cluster", self.cluster, CLUSTERS)):
            if name not in known:
                raise UserError(unknown_name(what, name, known))


CLUSTERS = ("image", "item")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One question, judged."""

    id: str
    image: str
    wanted: str
    """The benchmark's answer in canonical form."""
    sighted: str | None
    """What was answered with the image; None where the text held no answer."""
    blind: str | None
    sighted_correct: bool
    blind_correct: bool


@dataclass(frozen=True, kw_only=True)
class Score:
    """The result of one model on one benchmark; everything but counts in percent."""

    benchmark: str
    n: int
    """Questions."""
    images: int
    """Different images among them."""
    score: float
    low: float
    """Lower end of the 95 % interval of `score`."""
    high: float
    blind: float
    """Score of the same model without the image."""
    blind_low: float
    blind_high: float
    chance: float
    """Expected score of guessing among each question's own options."""
    majority: float
    """Score of always giving the most frequent answer."""
    unparsed: float
    """Share of answers in which the matcher found none; they count as wrong."""
    blind_unparsed: float
    verdicts: tuple[Verdict, ...]
    """In the order of the questions."""

    def metrics(self) -> dict[str, float | int]:
        """The numbers for a manifest."""
        return {
            name: getattr(self, name)
            for name in (field.name for field in fields(self))
            if name not in ("benchmark", "verdicts")
        }


def score(benchmark: Rules, questions: Sequence[Question], predictions: Iterable[Prediction]) -> Score:
    """Score the predictions with and without the image, each matched to its question by id.

    Raises:
        UserError: if there is no question, an answer that the matcher cannot read, or not exactly one
            prediction per question with the image and one without; all faulty ids are listed.
    """
    matcher = find_matcher(benchmark.matcher)
    answered = _pair(benchmark.id, questions, predictions)
    targets = _targets(benchmark.id, matcher, questions)
    verdicts = tuple(
        _judge(matcher, question, target, answered)
        for question, target in zip(questions, targets, strict=True)
    )
    clusters = [v.image if benchmark.cluster == "image" else v.id for v in verdicts]
    metric = METRICS[benchmark.metric]
    sighted = metric([verdict.sighted_correct for verdict in verdicts], clusters)
    blind = metric([verdict.blind_correct for verdict in verdicts], clusters)
    return Score(
        benchmark=benchmark.id,
        n=len(verdicts),
        images=len({question.image for question in questions}),
        score=sighted.value,
        low=sighted.low,
        high=sighted.high,
        blind=blind.value,
        blind_low=blind.low,
        blind_high=blind.high,
        chance=chance([len(set(question.options)) or matcher.answers for question in questions]),
        majority=majority(targets),
        unparsed=percent([verdict.sighted is None for verdict in verdicts]),
        blind_unparsed=percent([verdict.blind is None for verdict in verdicts]),
        verdicts=verdicts,
    )


def rules_of(recipe: Mapping[str, Any]) -> Rules:
    """Take the scoring rules from a stored benchmark recipe (which also says how it was run).

    Raises:
        UserError: if one is missing or has an unknown name.
    """
    names = [field.name for field in fields(Rules)]
    missing = [name for name in names if not isinstance(recipe.get(name), str)]
    if missing:
        raise UserError(f"the benchmark's recipe lacks {', '.join(missing)}; it has {', '.join(recipe)}")
    return Rules(**{name: recipe[name] for name in names})


def _targets(name: str, matcher: Matcher, questions: Sequence[Question]) -> list[str]:
    targets = []
    for question in questions:
        target = matcher.read(question.answer, question.options).value
        if target is None:
            raise UserError(
                f"{name}: question '{question.id}' has the answer {question.answer!r}, "
                f"in which matcher '{matcher.name}' finds none (options: {list(question.options)})"
            )
        targets.append(target)
    return targets


def _pair(
    name: str, questions: Sequence[Question], predictions: Iterable[Prediction]
) -> dict[tuple[str, bool], str]:
    """Raw answers by question id and vision, or an error about every id that is not there exactly once."""
    if not questions:
        raise UserError(f"{name}: there are no questions to score")
    asked = Counter(question.id for question in questions)
    raw: dict[tuple[str, bool], str] = {}
    given: Counter[tuple[str, bool]] = Counter()
    for prediction in predictions:
        given[prediction.id, prediction.vision] += 1
        raw[prediction.id, prediction.vision] = prediction.raw
    wanted = [(key, vision) for key in asked for vision in (True, False)]
    faults = {
        "duplicate questions": [key for key, count in asked.items() if count > 1],
        "missing predictions": [_shown(key) for key in wanted if key not in given],
        "duplicate predictions": [_shown(key) for key, count in given.items() if count > 1],
        "predictions for unknown questions": [_shown(key) for key in given if key[0] not in asked],
    }
    lines = [f"  - {len(ids)} {what}: {_list(ids)}" for what, ids in faults.items() if ids]
    if lines:
        raise UserError("\n".join([f"{name}: the predictions do not fit the questions; not scored:", *lines]))
    return raw


def _shown(key: tuple[str, bool]) -> str:
    return f"{key[0]} ({'with image' if key[1] else 'blind'})"


def _list(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def _judge(
    matcher: Matcher, question: Question, target: str, answered: Mapping[tuple[str, bool], str]
) -> Verdict:
    sighted, blind = (
        matcher.read(answered[question.id, vision], question.options).value for vision in (True, False)
    )
    return Verdict(
        id=question.id,
        image=question.image,
        wanted=target,
        sighted=sighted,
        blind=blind,
        sighted_correct=sighted is not None and matcher.same(sighted, target),
        blind_correct=blind is not None and matcher.same(blind, target),
    )
