"""Benchmarks' numbers from credits, by hand; groups that are not whole; baselines; intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cambrian.benchmarks.records import Prediction, Question
from cambrian.benchmarks.scoring import Rules, Score, score
from cambrian.benchmarks.totals import METRICS, Item, all_right, mean_of_parts, mme, yes_details
from cambrian.errors import UserError


def item(group: str, part: str = "", cluster: str = "") -> Item:
    return Item(id=f"{part}{group}", cluster=cluster or group, group=group, part=part, options=4)


def pairs(count: int, part: str = "") -> list[Item]:
    return [item(str(index // 2), part) for index in range(2 * count)]


def scored(rules: Rules, questions: list[Question], raws: list[str]) -> Score:
    predictions = [
        Prediction(id=question.id, vision=vision, prompt="", raw=raw if vision else "")
        for question, raw in zip(questions, raws, strict=True)
        for vision in (True, False)
    ]
    return score(rules, questions, predictions)


def choice(name: str, answer: str = "A", group: str = "", part: str = "") -> Question:
    options = ("cat", "dog", "cow")
    return Question(id=name, image=name, prompt="", answer=answer, options=options, group=group, part=part)


PAIRS = Rules(id="twins", matcher="choice", metric="pairs", cluster="item")
TWINS = [
    choice("q1", group="one"),
    choice("q2", group="two"),
    choice("q3", "B", "one"),
    choice("q4", "C", "two"),
]


def test_a_pair_is_right_if_both_are() -> None:
    assert all_right(pairs(4), [1, 1, 1, 0, 0, 1, 0, 0]).value == 25.0


def test_pairs_go_by_name_and_not_by_order() -> None:
    right = dict(zip(("q1", "q2", "q3", "q4"), ("A", "A", "B", "B"), strict=True))
    orders = [TWINS, TWINS[::-1], [TWINS[0], TWINS[2], TWINS[1], TWINS[3]]]
    assert {scored(PAIRS, order, [right[q.id] for q in order]).score for order in orders} == {50.0}


@pytest.mark.parametrize(
    ("questions", "complaint"),
    [
        pytest.param(
            TWINS[:3], "1 groups of questions are not whole, so 'pairs' has no value: two", id="half"
        ),
        pytest.param([*TWINS, choice("q5", group="one")], "not whole.*: one", id="three"),
        pytest.param([replace(TWINS[0], group=""), *TWINS[1:]], r"2 groups .*: \(none\), one", id="no group"),
    ],
)
def test_half_a_pair_is_refused(questions: list[Question], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        scored(PAIRS, questions, ["A"] * len(questions))


def test_circles_are_right_if_every_rotation_is() -> None:
    rules = replace(PAIRS, metric="circular")
    circle = [choice(f"{name}{i}", "ABC"[i], name) for name in ("one", "two") for i in range(3)]
    result = scored(rules, circle, ["A", "B", "C", "A", "A", "A"])
    assert result.score == 50.0
    assert result.chance == pytest.approx(100 / 27)
    # Always the first option is right in one rotation of three, and so in no circle.
    assert result.majority == 0.0
    with pytest.raises(UserError, match="not whole, so 'circular' has no value: two"):
        scored(rules, circle[:-1], ["A"] * 5)


def test_mme_by_hand() -> None:
    # Count: 3 of 4 right, one of two pictures wholly: 75 + 50. Colour: all right, 200.
    items = [*pairs(2, "count"), *pairs(1, "color")]
    assert mme(items, [1, 1, 1, 0, 1, 1]).value == pytest.approx(325.0)


def test_mme_runs_from_0_to_2000_and_guessing_gives_750() -> None:
    parts = [str(index) for index in range(10)]
    questions = [
        Question(
            id=f"{part}-{k}", image=f"{part}-{k // 2}", prompt="", answer="Yes" if k % 2 else "No",
            options=(), group=f"{part}-{k // 2}", part=part,
        )
        for part in parts for k in range(20)
    ]  # fmt: skip
    rules = Rules(id="mine", matcher="yes_no", metric="mme", cluster="image")
    result = scored(rules, questions, [question.answer for question in questions])
    assert (result.score, result.high, result.blind) == (2000.0, 2000.0, 0.0)
    assert 1850 < result.low < 2000
    assert result.chance == pytest.approx(750.0)
    # Always yes: half right, never both.
    assert result.majority == pytest.approx(500.0)
    assert result.details["part.3"] == 200.0


def test_mean_of_parts_does_not_weigh_questions() -> None:
    items = [item(str(i), "ADE20K") for i in range(2)] + [item(str(i), "COCO") for i in range(6)]
    assert mean_of_parts(items, [1, 0, 1, 1, 1, 1, 1, 1]).value == 75.0


def test_yes_details_by_hand() -> None:
    # 2 of 3 said yes are right, of 4 wanted: precision 2/3, recall 1/2, F1 4/7.
    given = ["yes", "yes", "yes", "no", None, "no"]
    details = yes_details(given, ["yes", "yes", "no", "yes", "yes", "no"])
    assert details == pytest.approx({"f1": 400 / 7, "precision": 200 / 3, "recall": 50.0, "said_yes": 50.0})
    assert yes_details([None], ["no"])["f1"] == 0.0


def test_pope_has_f1_and_a_score_for_each_split() -> None:
    questions = [
        Question(id=f"{part}{k}", image=str(k), prompt="", answer=answer, options=(), part=part)
        for part in ("random", "popular") for k, answer in enumerate(("yes", "no"))
    ]  # fmt: skip
    rules = Rules(id="mine", matcher="yes_no", metric="f1_yes", cluster="image")
    metrics = scored(rules, questions, ["Yes", "No, there is none.", "yes", "yes"]).metrics()
    assert metrics["score"] == 75.0
    assert metrics["f1"] == pytest.approx(80.0)
    assert (metrics["part.random"], metrics["part.popular"]) == (100.0, 50.0)


def test_a_benchmark_without_parts_has_no_further_numbers() -> None:
    result = scored(replace(PAIRS, metric="accuracy"), TWINS, ["A"] * 4)
    assert result.details == {}


def test_several_accepted_answers() -> None:
    question = Question(
        id="q", image="i", prompt="", answer="car", options=(), answers=("car", "auto", "auto")
    )
    rules = Rules(id="mine", matcher="short", metric="accuracy", cluster="item")
    assert scored(rules, [question], ["Auto."]).score == 100.0
    assert scored(rules, [question], ["bus"]).score == 0.0
    assert scored(rules, [question], ["bus"]).majority == 100.0


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_every_metric_has_an_interval_around_its_value(name: str, share: float) -> None:
    items = pairs(50, "a") + pairs(50, "b")
    right = (np.random.default_rng(1).random(200) < share).astype(float).tolist()
    estimate = METRICS[name].total(items, right)
    full = 400.0 if name == "mme" else 100.0
    assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= full
    assert 0.005 * full < estimate.high - estimate.low < 0.3 * full


@pytest.mark.parametrize("metric", ["mme", "mean_of_parts", "pairs", "accuracy"])
def test_intervals_cover_95_percent(metric: str) -> None:
    generator = np.random.default_rng(7)
    items = pairs(60, "a") + pairs(30, "b")
    chances = np.repeat([0.8, 0.5], [120, 60])
    true = METRICS[metric].total(items, chances.tolist()).value
    hits = 0
    for _ in range(500):
        estimate = METRICS[metric].total(items, (generator.random(180) < chances).astype(float).tolist())
        hits += estimate.low <= true <= estimate.high
    assert abs(hits / 5 - 95) <= 3.5
