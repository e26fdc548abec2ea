"""What a benchmark gives to who has not looked: guessing, and the most frequent answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cambrian.benchmarks.credits import exact
from cambrian.benchmarks.matchers import Matcher
from cambrian.benchmarks.metrics import chance, majority
from cambrian.benchmarks.records import Question
from cambrian.benchmarks.totals import Item, Metric, mean


def chance_of(
    matcher: Matcher, metric: Metric, questions: Sequence[Question], items: Sequence[Item]
) -> float:
    """Expected score of guessing among each question's own options."""
    counts = [len(set(question.options)) or matcher.answers for question in questions]
    if metric.total is mean:
        return chance(counts)
    # Guesses are independent, so that the total of their expectations is the expectation of the total.
    return metric.total(items, [1 / count if count else 0.0 for count in counts]).value


def majority_of(
    matcher: Matcher,
    metric: Metric,
    questions: Sequence[Question],
    items: Sequence[Item],
    targets: Sequence[Sequence[str]],
) -> float:
    """Score of always giving the most frequent of the accepted answers."""
    if metric.total is mean and metric.credit is exact and all(len(wanted) == 1 for wanted in targets):
        return majority([wanted[0] for wanted in targets])
    constant = Counter(one for wanted in targets for one in wanted).most_common(1)[0][0]
    pairs = zip(questions, targets, strict=True)
    return metric.total(items, [metric.credit(matcher, constant, wanted, one) for one, wanted in pairs]).value
