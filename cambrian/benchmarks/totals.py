"""From the credits of all questions to a benchmark's number: the table of metrics.

A metric is a credit for each answer (`credits`), and how credits become one number with an interval.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cambrian.benchmarks import credits
from cambrian.benchmarks.credits import Credit
from cambrian.benchmarks.metrics import Estimate, accuracy, stratified


@dataclass(frozen=True, kw_only=True)
class Item:
    """A question, as far as a total needs it."""

    id: str
    cluster: str
    """What the interval takes as one draw."""
    group: str
    """Questions that are only right together."""
    part: str
    options: int


Total = Callable[[Sequence[Item], Sequence[float]], Estimate]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measure."""

    name: str
    credit: Credit = credits.exact
    total: Total
    faults: Callable[[Sequence[Item]], list[str]] = lambda items: []
    """Names of the groups that are not whole; nothing is scored with one."""
    details: Callable[[Sequence[str | None], Sequence[str]], dict[str, float]] = lambda given, wanted: {}
    """Further numbers, from what was answered (None where nothing was) and what was wanted."""


def mean(items: Sequence[Item], given: Sequence[float]) -> Estimate:
    """Mean credit."""
    return accuracy(given, [item.cluster for item in items])


def all_right(items: Sequence[Item], given: Sequence[float]) -> Estimate:
    """Share of groups of which every question is right.

    Pairs: Tong et al. 2024, "Eyes Wide Shut" (MMVP), section 2. Circles, in which the options rotate: Liu et
    al. 2023, "MMBench", section 4.2.
    """
    groups = _by_group(items)
    together = [math.prod(given[index] for index in members) for members in groups.values()]
    return accuracy(together, [items[members[0]].cluster for members in groups.values()])


def mme(items: Sequence[Item], given: Sequence[float]) -> Estimate:
    """Sum over subtasks of accuracy plus accuracy+ (both questions of a picture right), 200 for each.

    Fu et al. 2023, "MME", section 2.3: with the ten subtasks of perception the most is 2000. A picture is one
    draw of the interval.
    """
    parts: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for (part, name), members in _by_group(items).items():
        right = [given[index] for index in members]
        parts[part].append(((sum(right) / len(right) + math.prod(right)) / 2, name))
    columns = [([credit for credit, _ in rows], [name for _, name in rows]) for rows in parts.values()]
    return stratified(columns, len(items), 200.0 * len(parts))


def mean_of_parts(items: Sequence[Item], given: Sequence[float]) -> Estimate:
    """Mean over parts of each one's accuracy, however many questions it has.

    Tong et al. 2024, "Cambrian-1", section 3.2: CV-Bench 2D is the mean of ADE20K and COCO.
    """
    parts: dict[str, tuple[list[float], list[str]]] = defaultdict(lambda: ([], []))
    for item, credit in zip(items, given, strict=True):
        parts[item.part][0].append(credit)
        parts[item.part][1].append(item.cluster)
    return stratified(list(parts.values()), len(items), 100.0)


def yes_details(given: Sequence[str | None], wanted: Sequence[str]) -> dict[str, float]:
    """Precision, recall and F1 of `yes`, and how often it was said; in percent.

    Li et al. 2023, "Evaluating Object Hallucination in Large Vision-Language Models" (POPE), section 5.1.
    """
    said, true = given.count("yes"), wanted.count("yes")
    hits = sum(one == two == "yes" for one, two in zip(given, wanted, strict=True))
    precision, recall = hits / said if said else 0.0, hits / true if true else 0.0
    both = precision + recall
    return {
        "f1": 100 * 2 * precision * recall / both if both else 0.0,
        "precision": 100 * precision,
        "recall": 100 * recall,
        "said_yes": 100 * said / len(given),
    }


def _by_group(items: Sequence[Item]) -> Mapping[tuple[str, str], list[int]]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[item.part, item.group].append(index)
    return groups


def _pair_faults(items: Sequence[Item]) -> list[str]:
    return _group_faults(items, lambda members: len(members) == 2)


def _circle_faults(items: Sequence[Item]) -> list[str]:
    return _group_faults(items, lambda members: len(members) >= max(member.options for member in members))


def _group_faults(items: Sequence[Item], whole: Callable[[list[Item]], bool]) -> list[str]:
    groups = {name: [items[index] for index in members] for (_, name), members in _by_group(items).items()}
    return [name or "(none)" for name, members in groups.items() if not name or not whole(members)]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="accuracy", total=mean),
        Metric(name="relaxed_accuracy", credit=credits.relaxed, total=mean),
        Metric(name="anls", credit=credits.anls, total=mean),
        Metric(name="vqa_accuracy", credit=credits.vqa_accuracy, total=mean),
        Metric(name="contains", credit=credits.contains, total=mean),
        Metric(name="mathvista", credit=credits.mathvista, total=mean),
        Metric(name="f1_yes", total=mean, details=yes_details),
        Metric(name="mean_of_parts", total=mean_of_parts),
        Metric(name="pairs", total=all_right, faults=_pair_faults),
        Metric(name="circular", total=all_right, faults=_circle_faults),
        Metric(name="mme", total=mme, faults=_pair_faults),
    )
}
