"""From questions and raw predictions to a score: pure, so that it can be repeated without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from cambrian.benchmarks.authors import AUTHORS
from cambrian.benchmarks.baselines import chance_of, majority_of
from cambrian.benchmarks.matchers import Matcher, find_matcher
from cambrian.benchmarks.metrics import percent
from cambrian.benchmarks.pairing import list_some, pair_predictions
from cambrian.benchmarks.records import Prediction, Question
from cambrian.benchmarks.result import Score, Verdict
from cambrian.benchmarks.totals import METRICS, Item, Metric, Total
from cambrian.errors import UserError, unknown_name

STRICT, PAPER = "strict", "paper"
PROTOCOLS = (STRICT, PAPER)
"""How answers are judged: by our matchers, or as the authors' scorers do, bug for bug."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All that decides a score besides the questions and the predictions."""

    id: str
    matcher: str
    """Name in `matchers.MATCHERS`: how an answer is read from the raw text."""
    metric: str
    """Name in `totals.METRICS`: how right and wrong answers become a number."""
    cluster: str
    """What the interval takes as independent: image, or item where no two questions belong together."""

    def __post_init__(self) -> None:
        find_matcher(self.matcher)
        for what, name, known in (("metric", self.metric, METRICS), ("cluster", self.cluster, CLUSTERS)):
            if name not in known:
                raise UserError(unknown_name(what, name, known))


CLUSTERS = ("image", "item")


def score(
    benchmark: Rules,
    questions: Sequence[Question],
    predictions: Iterable[Prediction],
    *,
    protocol: str = STRICT,
    blind: bool = True,
) -> Score:
    """Score the predictions with and without the image, each matched to its question by id.

    Not `blind` are those of others, who did not ask without the image.

    Protocol `strict` reads an answer with the benchmark's matcher; its details say what the authors' scorer
    would give, where there is one. Protocol `paper` is that scorer.

    Raises:
        UserError: if there is no question, a group that is not whole, an answer that the matcher cannot read,
            not exactly one prediction per question with the image and, if `blind`, one without (all faulty
            ids are listed), or if the authors' protocol does not know the benchmark.
    """
    if protocol not in PROTOCOLS:
        raise UserError(unknown_name("protocol", protocol, PROTOCOLS))
    stored = list(predictions)
    visions = (True, False) if blind else (True,)
    answered = pair_predictions(benchmark.id, questions, stored, visions)
    items = [item_of(benchmark, question) for question in questions]
    _check_groups(benchmark, items)
    if protocol == PAPER and benchmark.id not in AUTHORS:
        raise UserError(
            f"{benchmark.id}: the authors of the paper have no scorer for it; there is only '{STRICT}'"
        )
    strict = _strict(benchmark, questions, items, answered, blind=blind)
    if benchmark.id not in AUTHORS:
        return strict
    order = [prediction.id for prediction in stored if prediction.vision]
    paper = _paper(strict, questions, items, answered, order)
    if protocol == PAPER:
        return paper
    by_paper = {"paper_score": paper.score, **({} if paper.blind is None else {"paper_blind": paper.blind})}
    return replace(strict, details={**strict.details, **by_paper})


def _strict(
    benchmark: Rules,
    questions: Sequence[Question],
    items: Sequence[Item],
    answered: Mapping[tuple[str, bool], str],
    *,
    blind: bool,
) -> Score:
    matcher, metric = find_matcher(benchmark.matcher), METRICS[benchmark.metric]
    targets = [_targets(benchmark.id, matcher, question) for question in questions]
    verdicts = tuple(
        _judge(matcher, metric, question, wanted, answered)
        for question, wanted in zip(questions, targets, strict=True)
    )
    credits = [verdict.sighted_credit for verdict in verdicts]
    sighted = metric.total(items, credits)
    unseen = metric.total(items, [verdict.blind_credit for verdict in verdicts]) if blind else None
    wanted = [verdict.wanted for verdict in verdicts]
    return Score(
        benchmark=benchmark.id,
        n=len(verdicts),
        images=len({question.image for question in questions}),
        score=sighted.value,
        low=sighted.low,
        high=sighted.high,
        blind=unseen and unseen.value,
        blind_low=unseen and unseen.low,
        blind_high=unseen and unseen.high,
        chance=chance_of(matcher, metric, questions, items),
        majority=majority_of(matcher, metric, questions, items, targets),
        unparsed=percent([verdict.sighted is None for verdict in verdicts]),
        blind_unparsed=percent([verdict.blind is None for verdict in verdicts]) if blind else None,
        details={
            **metric.details([verdict.sighted for verdict in verdicts], wanted),
            **_parts(items, credits, metric.total),
        },
        verdicts=verdicts,
    )


def _paper(
    strict: Score,
    questions: Sequence[Question],
    items: Sequence[Item],
    answered: Mapping[tuple[str, bool], str],
    order: Sequence[str],
) -> Score:
    """The same predictions as the authors' scorer judges them; unparsed are those on which it would crash."""
    scorer = AUTHORS[strict.benchmark]
    place = {question.id: index for index, question in enumerate(questions)}
    in_file = [place[name] for name in order]
    ordered = [items[index] for index in in_file]
    visions = (True,) if strict.blind is None else (True, False)
    judged = {
        vision: [scorer.credit(answered[question.id, vision], question) for question in questions]
        for vision in visions
    }
    credits = {vision: [credit or 0.0 for credit in given] for vision, given in judged.items()}
    totals = {vision: scorer.total(ordered, [given[i] for i in in_file]) for vision, given in credits.items()}
    sighted, unseen = totals[True], totals.get(False)
    without = credits.get(False, [0.0] * len(questions))
    verdicts = tuple(
        replace(verdict, sighted_credit=one, blind_credit=two)
        for verdict, one, two in zip(strict.verdicts, credits[True], without, strict=True)
    )
    return replace(
        strict,
        score=sighted.value,
        low=sighted.low,
        high=sighted.high,
        blind=unseen and unseen.value,
        blind_low=unseen and unseen.low,
        blind_high=unseen and unseen.high,
        unparsed=percent([credit is None for credit in judged[True]]),
        blind_unparsed=percent([credit is None for credit in judged[False]]) if unseen else None,
        details=_parts(ordered, [credits[True][i] for i in in_file], scorer.total),
        verdicts=verdicts,
    )


def _parts(items: Sequence[Item], credits: Sequence[float], total: Total) -> dict[str, float]:
    """The score of each part, where the benchmark has several."""
    members: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        members.setdefault(item.part, []).append(index)
    if len(members) < 2:
        return {}
    return {
        f"part.{part}": total([items[i] for i in places], [credits[i] for i in places]).value
        for part, places in members.items()
    }


def item_of(benchmark: Rules, question: Question) -> Item:
    """Take from a question what a total needs."""
    return Item(
        id=question.id,
        cluster=question.image if benchmark.cluster == "image" else question.id,
        group=question.group,
        part=question.part,
        options=len(question.options),
    )


def _check_groups(benchmark: Rules, items: Sequence[Item]) -> None:
    faulty = METRICS[benchmark.metric].faults(items)
    if faulty:
        raise UserError(
            f"{benchmark.id}: {len(faulty)} groups of questions are not whole, so '{benchmark.metric}' "
            f"has no value: {list_some(faulty)}"
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


def _targets(name: str, matcher: Matcher, question: Question) -> list[str]:
    """All accepted answers in canonical form, as often as they were given."""
    answers = question.answers or (question.answer,)
    read = [matcher.wanted(answer, question.options) for answer in answers]
    found = [target for target in read if target is not None]
    if not found:
        raise UserError(
            f"{name}: question '{question.id}' has the answer {question.answer!r}, "
            f"in which matcher '{matcher.name}' finds none (options: {list(question.options)})"
        )
    return found


def _judge(
    matcher: Matcher,
    metric: Metric,
    question: Question,
    wanted: Sequence[str],
    answered: Mapping[tuple[str, bool], str],
) -> Verdict:
    sighted, blind = (
        matcher.read(answered[question.id, vision], question.options).value
        if (question.id, vision) in answered
        else None
        for vision in (True, False)
    )
    return Verdict(
        id=question.id,
        image=question.image,
        wanted=wanted[0],
        sighted=sighted,
        blind=blind,
        sighted_credit=0.0 if sighted is None else metric.credit(matcher, sighted, wanted, question),
        blind_credit=0.0 if blind is None else metric.credit(matcher, blind, wanted, question),
    )
