"""Where the authors' scorers and ours judge one prediction differently, benchmark by benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.benchmarks import rescore
from cambrian.benchmarks.authors import AUTHORS
from cambrian.benchmarks.credits import HANDWRITTEN
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    Question,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import PAPER, STRICT, Rules, Score, score
from cambrian.errors import UserError

ANIMALS = ("cat", "dog", "cow", "duck")
CHOICE = ("choice", "accuracy")
# benchmark, (matcher, metric), options, answer, said, credit by strict, credit by paper (None: an error)
DIFFERENT: tuple[
    tuple[str, tuple[str, str], tuple[str, ...], str | tuple[str, ...], str, float, float | None], ...
] = (
    ("mme_p", ("yes_no", "mme"), (), "Yes", "Yes, there is.", 1, 0),
    ("gqa", ("short", "accuracy"), (), "dog", "a dog", 1, 0),
    ("mmb", ("choice", "circular"), ANIMALS, "B", "The answer is: B", 1, 0),
    ("mmb", ("choice", "circular"), ANIMALS, "B", "Because it barks", 0, 1),
    ("mmb_cn", ("choice", "circular"), ANIMALS, "B", "(B)", 1, 0),
    ("mmb_cn", ("choice", "circular"), ANIMALS, "B", "", 0, None),
    ("seed_i", CHOICE, ANIMALS, "C", "Cannot be determined", 0, 1),
    ("seed_i", CHOICE, ANIMALS, "C", "**C**", 1, 0),
    ("sqa_i", CHOICE, ANIMALS, "B", "(B)", 1, 0),
    ("mmmu_v", CHOICE, ANIMALS, "A", "All of them", 0, 1),
    ("mmmu_v", CHOICE, (), "42", "$42", 1, 0),
    ("mmmu_v", CHOICE, (), "100", "101", 0, 1),
    ("mmmu_v", CHOICE, (), ("24/7", "3.43"), "3.43", 1, 0),
    ("mathvista_m", ("choice", "mathvista"), ANIMALS, "D", "It quacks, so the answer is (D).", 1, 0),
    ("mathvista_m", ("choice", "mathvista"), (), "100", "104", 0, 1),
    ("ai2d", CHOICE, ANIMALS, "D", "Don't know", 0, 1),
    ("chartqa", ("text", "relaxed_accuracy"), (), "42", "42%", 1, 0),
    ("chartqa", ("text", "relaxed_accuracy"), (), "blue", "Blue.", 1, 0),
    ("ocrbench", ("text", "contains"), (), "1", "12", 0, 1),
    ("textvqa", ("text", "vqa_accuracy"), (), ("eleven",) * 10, "11", 1, 0),
    ("textvqa", ("text", "vqa_accuracy"), (), ("stop", "stop"), "stop", 1 / 3, None),
    ("vizwiz", ("text", "vqa_accuracy"), (), ("coke",) * 10, "It says coke", 1, 0),
    ("mmvp", ("choice", "pairs"), ANIMALS, "A", "I think it is A", 1, 0),
    ("realworldqa", CHOICE, ANIMALS, "B", "(B)", 1, 0),
    ("realworldqa", CHOICE, ANIMALS, "B", " ", 0, None),
    ("cvbench_2d", ("choice", "mean_of_parts"), ANIMALS, "B", "The answer is: B", 1, 0),
    ("cvbench_3d", CHOICE, ANIMALS, "B", "Both are equally near", 0, 1),
    ("pope", ("yes_no", "f1_yes"), (), "no", "**No**", 1, 0),
    ("mmstar", CHOICE, ANIMALS, "B", "b)", 1, 0),
    ("vstar", CHOICE, ANIMALS, "A", "Apparently the dog", 0, 1),
    ("qbench", CHOICE, ANIMALS, "B", "(B) dog", 1, 0),
    ("blink", CHOICE, ANIMALS, "B", "The answer is (B)", 1, 0),
)


def asked(
    rules: tuple[str, str], options: tuple[str, ...], answer: str | tuple[str, ...], name: str
) -> Question:
    first, answers = (answer, ()) if isinstance(answer, str) else (answer[0], answer)
    grouped = rules[1] in ("mme", "pairs", "circular")
    return Question(
        id=name, image=name, prompt="", answer=first, options=options, answers=answers,
        group="one" if grouped else "", part="part",
    )  # fmt: skip


def judge(
    benchmark: str, rules: tuple[str, str], questions: list[Question], said: str, protocol: str
) -> Score:
    predictions = [
        Prediction(id=question.id, vision=vision, prompt="", raw=said)
        for question in questions
        for vision in (True, False)
    ]
    row = Rules(id=benchmark, matcher=rules[0], metric=rules[1], cluster="item")
    return score(row, questions, predictions, protocol=protocol)


@pytest.mark.parametrize(
    ("benchmark", "rules", "options", "answer", "said", "strict", "paper"),
    [pytest.param(*row, id=f"{row[0]}-{row[4]}") for row in DIFFERENT],
)
def test_the_protocols_judge_it_so(
    benchmark: str,
    rules: tuple[str, str],
    options: tuple[str, ...],
    answer: str | tuple[str, ...],
    said: str,
    strict: float,
    paper: float | None,
) -> None:
    size = {"mme": 2, "pairs": 2, "circular": 4}.get(rules[1], 1)
    questions = [asked(rules, options, answer, f"q{index}") for index in range(size)]
    ours = judge(benchmark, rules, questions, said, STRICT)
    theirs = judge(benchmark, rules, questions, said, PAPER)
    assert ours.verdicts[0].sighted_credit == pytest.approx(strict)
    assert theirs.verdicts[0].sighted_credit == (paper or 0.0)
    assert theirs.unparsed == (100.0 if paper is None else 0.0)
    assert ours.details["paper_score"] == theirs.score


def test_every_scorer_of_the_authors_differs_somewhere() -> None:
    assert {row[0] for row in DIFFERENT if row[5] != (row[6] or 0.0)} | {"mmb_cn"} == set(AUTHORS)


def test_both_agree_on_plain_answers() -> None:
    for benchmark, rules, options, answer, *_ in DIFFERENT:
        if (
            isinstance(answer, str)
            and AUTHORS[benchmark].credit(answer, asked(rules, options, answer, "q")) is not None
        ):
            assert AUTHORS[benchmark].credit(answer, asked(rules, options, answer, "q")) == 1.0


@pytest.mark.parametrize(
    ("said", "near"), [("95.2", 0.0), ("95.3", 1.0), ("105", 1.0), ("105.3", 0.0), ("nan", 0.0)]
)
def test_the_tolerance_of_mmmu_is_relative_to_the_prediction(said: str, near: float) -> None:
    # 100 - 95.2 = 4.8 is more than 5 % of 95.2, though not of 100; so is 5.3 of 105.3, 5.265.
    assert AUTHORS["mmmu_v"].credit(said, asked(CHOICE, (), "100", "q")) == near


def test_chartqa_takes_its_tolerance_from_the_answer() -> None:
    question = asked(CHOICE, (), "100", "q")
    assert [AUTHORS["chartqa"].credit(said, question) for said in ("95.2", "94.9", "1_00")] == [1.0, 0.0, 1.0]


def test_handwritten_formulas_keep_their_case() -> None:
    question = Question(id="q", image="i", prompt="", answer="x ^ A", options=(), part=HANDWRITTEN)
    assert [AUTHORS["ocrbench"].credit(said, question) for said in ("so x^A", "so x^a")] == [1.0, 0.0]


def twins(*order: int) -> tuple[list[Question], list[Prediction]]:
    """Two pairs, the first all right and the second all wrong, with the predictions in another order."""
    questions = [
        Question(id=f"q{k}", image=f"q{k}", prompt="", answer="A", options=("cat", "dog"), group=str(k // 2))
        for k in range(4)
    ]
    said = [
        Prediction(id=f"q{k}", vision=vision, prompt="", raw="A" if k < 2 else "B")
        for k in order
        for vision in (True, False)
    ]
    return questions, said


def test_reordered_predictions_change_the_authors_number_alone() -> None:
    rules = Rules(id="mmvp", matcher="choice", metric="pairs", cluster="item")
    numbers = {
        order: [score(rules, *twins(*order), protocol=protocol).score for protocol in (STRICT, PAPER)]
        for order in ((0, 1, 2, 3), (0, 2, 1, 3), (2, 3, 0, 1))
    }
    assert numbers == {(0, 1, 2, 3): [50.0, 50.0], (0, 2, 1, 3): [50.0, 0.0], (2, 3, 0, 1): [50.0, 50.0]}


def test_mme_counts_pairs_by_lines() -> None:
    rules = Rules(id="mme_p", matcher="yes_no", metric="mme", cluster="image")
    questions = [
        Question(
            id=f"q{k}",
            image=str(k // 2),
            prompt="",
            answer="Yes",
            options=(),
            group=str(k // 2),
            part="count",
        )
        for k in range(4)
    ]
    right = {"q0", "q1"}
    for order, paper in (((0, 1, 2, 3), 100.0), ((0, 2, 1, 3), 50.0)):
        said = [
            Prediction(id=f"q{k}", vision=vision, prompt="", raw="Yes" if f"q{k}" in right else "No")
            for k in order for vision in (True, False)
        ]  # fmt: skip
        assert score(rules, questions, said).score == 100.0
        assert score(rules, questions, said, protocol=PAPER).score == paper


def test_the_lab_has_no_authors() -> None:
    rules = Rules(id="lab_count", matcher="choice", metric="accuracy", cluster="item")
    with pytest.raises(UserError, match="no scorer for it; there is only 'strict'"):
        score(rules, *twins(0, 1, 2, 3), protocol=PAPER)
    with pytest.raises(UserError, match="unknown protocol 'papr'; did you mean 'paper'"):
        score(rules, *twins(0, 1, 2, 3), protocol="papr")


@pytest.mark.parametrize("benchmark", AUTHORS)
@settings(deadline=None)
@given(said=st.text() | st.text(alphabet="answer is: (ABCD).,yes no1e\n"))
def test_no_text_makes_a_scorer_raise(benchmark: str, said: str) -> None:
    for options, answer in ((ANIMALS, "B"), ((), "1")):
        if options or benchmark not in ("sqa_i", "mmvp"):
            assert AUTHORS[benchmark].credit(said, asked(CHOICE, options, answer, "q")) in (None, 0.0, 1.0)


def entry(store: Path, digest: str, benchmark: str, extra: dict[str, Any]) -> None:
    """Lay out one evaluation of the two pairs, as the store does."""
    folder = store / "evaluate" / digest
    folder.mkdir(parents=True)
    questions, predictions = twins(0, 2, 1, 3)
    write_questions(folder / QUESTIONS_FILE, questions)
    write_predictions(folder / PREDICTIONS_FILE, predictions)
    recipe = {"id": benchmark, "matcher": "choice", "metric": "pairs", "cluster": "item"}
    metrics = score(Rules(**recipe), questions, predictions).metrics()
    (folder / "manifest.json").write_text(
        json.dumps({"recipe": {"benchmark": recipe}, "metrics": {**metrics, **extra}})
    )


def test_rescoring_by_the_authors_scorer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry(tmp_path, "aa", "mmvp", {"total": 300})
    entry(tmp_path, "bb", "twins", {})
    assert rescore.main([str(tmp_path)]) == 0
    strict = capsys.readouterr().out
    assert strict.count(" 50.00 [") == 2
    assert strict.count("unparsed 0.0%") == 2
    assert strict.count("PARTIAL: 4 of 300 questions") == 1
    assert rescore.main([str(tmp_path), "--protocol", "paper"]) == 0
    paper = capsys.readouterr().out
    assert "  0.00 [" in paper
    assert "bb  twins                    the authors have no scorer for it" in paper


def test_a_stored_number_of_the_authors_that_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry(tmp_path, "aa", "mmvp", {"paper_score": 12.0})
    assert rescore.main([str(tmp_path), "--protocol", "paper"]) == 1
    assert "DIFFERS: paper_score stored 12, now 0" in capsys.readouterr().out
