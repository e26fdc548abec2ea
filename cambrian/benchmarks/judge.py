"""How far a language model that judges answers agrees with the matcher, on one stored evaluation.

`python -m cambrian.benchmarks.judge STORE/evaluate/DIGEST --endpoint URL --model NAME`. It changes no score.
Of a benchmark that only a model can judge (MM-Vet), it says how many answers this judge takes for right.
Questions, accepted answers and replies are sent to the address; no picture is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cambrian.benchmarks.judging import Judge, Opinion
from cambrian.benchmarks.metrics import accuracy
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Question,
    read_predictions,
    read_questions,
)
from cambrian.benchmarks.rescore import read_manifest, rescore
from cambrian.errors import UserError, leaving_on_user_error

_SHOWN = 10
"""Disagreements that are printed."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Matcher and judge side by side, over the answers that the judge had an opinion of; in percent."""

    n: int
    matcher: float
    """Accuracy by the matcher."""
    judge: float
    """Accuracy by the judge."""
    same: float
    """Share of answers that both judge alike."""
    kappa: float
    """Agreement beyond what two such judges reach by chance, of 1 (Cohen 1960); no percentage."""


def agreement(matcher: Sequence[bool], judge: Sequence[bool]) -> Agreement:
    """Compare two verdicts on the same answers, of which there is at least one."""
    n = len(matcher)
    first, second = sum(matcher) / n, sum(judge) / n
    same = sum(one == two for one, two in zip(matcher, judge, strict=True)) / n
    chance = first * second + (1 - first) * (1 - second)
    # Where both always say the same one thing there is nothing beyond chance to reach.
    kappa = (same - chance) / (1 - chance) if chance < 1 else 1.0
    return Agreement(n=n, matcher=100 * first, judge=100 * second, same=100 * same, kappa=kappa)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the agreement, the disagreements and the cost; 1 if the judge had no opinion of anything.

    Raises:
        UserError: if there is nothing to judge by, or the judge cannot be asked.
    """
    given = _parser().parse_args(arguments)
    unscored = read_manifest(given.entry)["metrics"].get("unscored")
    verdicts = () if unscored else rescore(given.entry).verdicts
    questions = read_questions(given.entry / QUESTIONS_FILE)
    if unscored and not all(question.answer for question in questions):
        raise UserError(f"{given.entry} has no accepted answers to judge by: {unscored}")
    replies = {one.id: one.raw for one in read_predictions(given.entry / PREDICTIONS_FILE) if one.vision}
    judge = Judge(given.endpoint, given.model, key_variable=given.key_variable, cache=given.cache)
    opinions = judge.ask_all([(question, replies[question.id]) for question in questions])
    if unscored:
        print(_cost(opinions, given.price))
        return _alone(questions, opinions)
    # Half-right answers, of the benchmarks that know them, count as right from a half on.
    right = [verdict.sighted_credit >= 0.5 for verdict in verdicts]
    judged = [(one, opinion.right) for one, opinion in zip(right, opinions, strict=True)]
    both = [(one, two) for one, two in judged if two is not None]
    apart = [(asked, one, two) for asked, (one, two) in zip(questions, judged, strict=True) if one != two]
    for asked, one, two in apart[:_SHOWN]:
        by_judge = "nothing" if two is None else _word(two)
        print(f"{asked.id}: matcher {_word(one)}, judge {by_judge}: {replies[asked.id][:100]!r}")
    print(_cost(opinions, given.price))
    if not both:
        print(f"the judge said neither yes nor no of any of {len(judged)} answers")
        return 1
    found = agreement([one for one, _ in both], [two for _, two in both])
    print(
        f"{found.n} of {len(judged)} answers judged: matcher {found.matcher:.2f}, judge {found.judge:.2f}, "
        f"alike {found.same:.2f}%, kappa {found.kappa:.3f}"
    )
    return 0


def _alone(questions: Sequence[Question], opinions: Sequence[Opinion]) -> int:
    """Print how many answers the judge takes for right, where no matcher can read them."""
    pairs = zip(questions, opinions, strict=True)
    judged = [(float(one.right), question.image) for question, one in pairs if one.right is not None]
    if not judged:
        print(f"the judge said neither yes nor no of any of {len(questions)} answers")
        return 1
    found = accuracy([right for right, _ in judged], [image for _, image in judged])
    print(
        f"{len(judged)} of {len(questions)} answers judged: {found.value:.2f} [{found.low:.2f}, "
        f"{found.high:.2f}] % right to this judge; the benchmark's own gives degrees from 0 to 1"
    )
    return 0


def _word(right: bool) -> str:
    return "right" if right else "wrong"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cambrian.benchmarks.judge", description=__doc__)
    parser.add_argument(
        "entry", type=Path, metavar="STORE_ENTRY", help="directory of one evaluation in a store"
    )
    parser.add_argument("--endpoint", required=True, help="address of an OpenAI-compatible API, up to /v1")
    parser.add_argument("--model", required=True, help="name of the judge there")
    parser.add_argument(
        "--key-variable",
        default="OPENAI_API_KEY",
        help="environment variable with the key, if the address wants one (default: %(default)s)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("judgements"),
        help="directory that remembers what was judged, by content (default: %(default)s)",
    )
    parser.add_argument(
        "--price",
        type=float,
        nargs=2,
        metavar=("IN", "OUT"),
        help="price of a million tokens sent and received, to show the cost in money",
    )
    return parser


def _cost(opinions: Sequence[Opinion], price: Sequence[float] | None) -> str:
    fresh = [opinion for opinion in opinions if opinion.fresh]
    sent, received = sum(one.tokens_in for one in fresh), sum(one.tokens_out for one in fresh)
    money = f", {(sent * price[0] + received * price[1]) / 1e6:.4f} in money" if price else ""
    remembered = len(opinions) - len(fresh)
    return f"asked {len(fresh)}, remembered {remembered}: {sent} tokens sent, {received} received{money}"


if __name__ == "__main__":
    with leaving_on_user_error():
        sys.exit(main())
