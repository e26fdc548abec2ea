"""From the credits of all questions to a benchmark's number: the table of metrics.

A metric is a credit for each answer (`credits`), and how credits become one number with an interval.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
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


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What gives one credit: a question, or questions that are only right together."""

    name: str
    cluster: str
    part: str
    credit: float
    """From 0 to 1."""


Total = Callable[[Sequence[Item], Sequence[float]], Estimate]
Split = Callable[[Sequence[Item], Sequence[float]], list[Unit]]


@dataclass(frozen=True, kw_only=True)
class WeightedSum:
    """A total that is full * sum(weight * credit) over units, with weights that sum to 1."""

    split: Split
    by_part: bool = False
    """Whether all parts weigh the same, however many units each has; else all units do."""
    per_part: float | None = None
    """What each part adds to the full number; None where that is 100, whatever the parts."""

    def __call__(self, items: Sequence[Item], given: Sequence[float]) -> Estimate:
        """Sum up, with the 95 % interval; parts that weigh the same are strata of it."""
        units = self.split(items, given)
        if not self.by_part:
            return accuracy([unit.credit for unit in units], [unit.cluster for unit in units])
        parts: dict[str, list[Unit]] = defaultdict(list)
        for unit in units:
            parts[unit.part].append(unit)
        columns = [
            ([unit.credit for unit in each], [unit.cluster for unit in each]) for each in parts.values()
        ]
        return stratified(columns, len(items), self.full(units))

    def full(self, units: Sequence[Unit]) -> float:
        """The number if every credit is 1."""
        return 100.0 if self.per_part is None else self.per_part * len({unit.part for unit in units})

    def weights(self, units: Sequence[Unit]) -> list[float]:
        """The weight of each unit."""
        if not self.by_part:
            return [1 / len(units)] * len(units)
        sizes = Counter(unit.part for unit in units)
        return [1 / (len(sizes) * sizes[unit.part]) for unit in units]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measure."""

    name: str
    credit: Credit = credits.exact
    total: WeightedSum
    faults: Callable[[Sequence[Item]], list[str]] = lambda items: []
    """Names of the groups that are not whole; nothing is scored with one."""
    details: Callable[[Sequence[str | None], Sequence[str]], dict[str, float]] = lambda given, wanted: {}
    """Further numbers, from what was answered (None where nothing was) and what was wanted."""


def _questions(items: Sequence[Item], given: Sequence[float]) -> list[Unit]:
    return [
        Unit(name=item.id, cluster=item.cluster, part=item.part, credit=credit)
        for item, credit in zip(items, given, strict=True)
    ]


def _groups(items: Sequence[Item], given: Sequence[float]) -> list[Unit]:
    """Groups, of which every question must be right."""
    return [
        Unit(
            name=_name(part, name),
            cluster=items[members[0]].cluster,
            part=part,
            credit=math.prod(given[index] for index in members),
        )
        for (part, name), members in _by_group(items).items()
    ]


def _pictures(items: Sequence[Item], given: Sequence[float]) -> list[Unit]:
    """Groups about one picture: half their accuracy, half accuracy+ (all right)."""
    units = []
    for (part, name), members in _by_group(items).items():
        right = [given[index] for index in members]
        credit = (sum(right) / len(right) + math.prod(right)) / 2
        units.append(Unit(name=_name(part, name), cluster=_name(part, name), part=part, credit=credit))
    return units


def _name(part: str, group: str) -> str:
    return f"{part}/{group}" if part else group


mean = WeightedSum(split=_questions)
"""Mean credit."""

all_right = WeightedSum(split=_groups)
"""Share of groups of which every question is right.

Pairs: Tong et al. 2024, "Eyes Wide Shut" (MMVP), section 2. Circles, in which the options rotate: Liu et
al. 2023, "MMBench", section 4.2.
"""

mme = WeightedSum(split=_pictures, by_part=True, per_part=200.0)
"""Sum over subtasks of accuracy plus accuracy+ (both questions of a picture right), 200 for each.

Fu et al. 2023, "MME", section 2.3: with the ten subtasks of perception the most is 2000. A picture is one
draw of the interval.
"""

mean_of_parts = WeightedSum(split=_questions, by_part=True)
"""Mean over parts of each one's accuracy, however many questions it has.

Tong et al. 2024, "Cambrian-1", section 3.2: CV-Bench 2D is the mean of ADE20K and COCO.
"""


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
