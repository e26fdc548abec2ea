"""A store as large as the whole study: 138 runs x 26 benchmarks x 1,000 questions, without a model.

python perf/large_store.py FOLDER [--runs 138] [--benchmarks 26] [--questions 1000]

Every file is what the evaluate stage writes, sealed by the store's own code. Answers come from an item
response model: abilities of encoders, recipes and benchmarks, difficulties of questions and pictures, a
favourite wrong option. The same arguments give the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: the project's folder is where its packages are found
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.published import NAMES, PAPER
from cambrian.benchmarks.records import PREDICTIONS_FILE, QUESTIONS_FILE, Question, write_questions
from cambrian.benchmarks.scoring import Rules, item_of
from cambrian.benchmarks.suite import BENCHMARKS, SUITES
from cambrian.benchmarks.totals import METRICS, Item
from cambrian.benchmarks.units import FULL, SCHEMA, UNITS_FILE, write_units
from cambrian.sweep.files import seal

OPTIONS = ("red", "green", "blue", "yellow")
LETTERS = "ABCD"
ABILITY = {"language": 0.5, "self": 0.1, "other": -0.4}
RECIPE = {"0M": -0.25, "0.5M": 0.0, "1.2M": 0.15, "frozen": 0.0, "unfrozen": 0.3}
CREATED = "2026-01-02T03:04:05+00:00"


@dataclass(frozen=True, kw_only=True)
class Design:
    """One run."""

    encoder: str
    supervision: str
    adapter: str
    vision: str
    seed: int

    @property
    def digest(self) -> str:
        """Of its tune stage."""
        return _digest("tune", *map(str, asdict(self).values()))

    @property
    def axes(self) -> dict[str, Any]:
        """As a manifest has them."""
        shared = {"connector": "concat", "instruct": "737k", "llm": "vicuna_7b", "scale": "paper"}
        own = {**asdict(self), "encoder": [self.encoder], "supervision": [self.supervision]}
        return {**shared, **own}


def designs(count: int) -> list[Design]:
    """The first `count` of 23 encoders x 3 sizes of adapter data x frozen or not x seeds."""
    table = pd.read_csv(PAPER / "encoders.csv")
    encoders = [
        (NAMES[f"{model} {architecture}"], str(supervision))
        for model, architecture, supervision in zip(
            table["model"], table["architecture"], table["supervision"], strict=True
        )
    ]
    grid = (
        (seed, *rest)
        for seed in itertools.count()
        for rest in itertools.product(("1.2M", "0.5M", "0M"), ("frozen", "unfrozen"), encoders)
    )
    return [
        Design(encoder=encoder, supervision=supervision, adapter=adapter, vision=vision, seed=seed)
        for seed, adapter, vision, (encoder, supervision) in itertools.islice(grid, count)
    ]


@dataclass(frozen=True, kw_only=True)
class Test:
    """One benchmark of the table, with multiple-choice questions in place of its own."""

    rules: Rules
    category: str
    questions: tuple[Question, ...]

    @cached_property
    def items(self) -> list[Item]:
        """What totals need of the questions."""
        return [item_of(self.rules, question) for question in self.questions]

    @cached_property
    def lines(self) -> list[list[list[bytes]]]:
        """Lines of the file of predictions, by vision, question and letter."""
        return [
            [
                [
                    json.dumps({"id": one.id, "vision": vision, "prompt": one.prompt, "raw": letter}).encode()
                    for letter in LETTERS
                ]
                for one in self.questions
            ]
            for vision in (True, False)
        ]


def make_test(name: str, count: int) -> Test:
    """About `count` questions, in groups and parts as the metric of benchmark `name` needs them."""
    row = BENCHMARKS.get(name)
    metric = row.metric if row and row.metric in ("pairs", "circular", "mme", "mean_of_parts") else "accuracy"
    rules = Rules(id=name, matcher="choice", metric=metric, cluster=row.cluster if row else "item")
    size = {"pairs": 2, "mme": 2, "circular": 4}.get(metric, 1)
    parts = {"mme": 10, "mean_of_parts": 2}.get(metric, 1)
    generator = np.random.default_rng(_number("test", name))
    answers = generator.integers(len(LETTERS), size=count)
    questions = tuple(
        Question(
            id=f"{name}-{index}",
            image=_digest(name, str(index // max(2, size)))[:16],
            prompt=f"What colour is object {index}?\nAnswer with the option's letter.",
            answer=LETTERS[answers[index]],
            options=OPTIONS,
            group=f"{name}-group-{index // size}" if size > 1 else "",
            part=f"part {index // size % parts}" if parts > 1 else "",
        )
        for index in range(count // size * size)
    )
    return Test(rules=rules, category=row.category if row else "general", questions=questions)


def _answers(test: Test, design: Design, *, vision: bool) -> np.ndarray:
    """Number of the option that was chosen for each question; all runs find the same questions hard."""
    questions = np.random.default_rng(_number("difficulty", test.rules.id, str(vision)))
    count = len(test.questions)
    pictures = {name: number for number, name in enumerate(dict.fromkeys(q.image for q in test.questions))}
    difficulty = questions.normal(0.0, 1.2, count)
    difficulty += questions.normal(0.0, 0.8, len(pictures))[[pictures[q.image] for q in test.questions]]
    wrong = questions.integers(1, len(LETTERS), size=count)
    runs = np.random.default_rng(_number(design.digest, test.rules.id, str(vision)))
    own = np.random.default_rng(_number(design.encoder, test.category)).normal(0.0, 0.4)
    ability = ABILITY[design.supervision] + RECIPE[design.adapter] + RECIPE[design.vision] + own
    ability += runs.normal(0.0, 0.05)
    right = runs.random(count) < 1 / (1 + np.exp(difficulty - (ability if vision else -1.0)))
    true = np.array([LETTERS.index(question.answer) for question in test.questions])
    elsewhere = np.where(runs.random(count) < 0.7, wrong, runs.integers(1, len(LETTERS), size=count))
    return np.where(right, true, (true + elsewhere) % len(LETTERS))


def write_evaluation(folder: Path, test: Test, design: Design, questions: Path) -> None:
    """Write one evaluation; `questions` is a file of the test's questions, which is linked."""
    digest = _digest("evaluate", design.digest, test.rules.id)
    place = folder / "evaluate" / digest
    place.mkdir(parents=True)
    os.link(questions, place / QUESTIONS_FILE)
    chosen = {vision: _answers(test, design, vision=vision) for vision in (True, False)}
    lines = [
        line[letter]
        for vision, answers in chosen.items()
        for line, letter in zip(test.lines[not vision], answers, strict=True)
    ]
    (place / PREDICTIONS_FILE).write_bytes(b"\n".join([*lines, b""]))
    credits = {
        vision: [
            float(LETTERS[letter] == question.answer)
            for letter, question in zip(answers, test.questions, strict=True)
        ]
        for vision, answers in chosen.items()
    }
    write_units(place / UNITS_FILE, _units(test, credits))
    recipe = {"benchmark": {**asdict(test.rules), "max_new_tokens": 8, "source": "hub"}}
    axes = {**design.axes, "benchmark": test.rules.id, "category": test.category}
    inputs = {"model": design.digest}
    manifest = _manifest(
        "evaluate", digest, axes, recipe=recipe, inputs=inputs, metrics=_metrics(test, credits)
    )
    seal(place, manifest)


def _units(test: Test, credits: Mapping[bool, Sequence[float]]) -> pa.Table:
    total = METRICS[test.rules.metric].total
    sighted, blind = (total.split(test.items, credits[vision]) for vision in (True, False))
    columns = {
        "unit": [unit.name for unit in sighted],
        "cluster": [unit.cluster for unit in sighted],
        "part": [unit.part for unit in sighted],
        "weight": total.weights(sighted),
        "sighted": [unit.credit for unit in sighted],
        "blind": [unit.credit for unit in blind],
    }
    return pa.table(columns, schema=SCHEMA.with_metadata({FULL: repr(total.full(sighted))}))


def _metrics(test: Test, credits: Mapping[bool, Sequence[float]]) -> dict[str, float | int]:
    total = METRICS[test.rules.metric].total
    sighted, blind = (total(test.items, credits[vision]) for vision in (True, False))
    guess = total(test.items, [1 / len(LETTERS)] * len(test.items)).value
    return {
        "n": len(test.questions),
        "images": len({question.image for question in test.questions}),
        "score": sighted.value,
        "low": sighted.low,
        "high": sighted.high,
        "blind": blind.value,
        "blind_low": blind.low,
        "blind_high": blind.high,
        "chance": guess,
        "majority": guess,
        "unparsed": 0.0,
        "blind_unparsed": 0.0,
        "total": len(test.questions),
        "unanswered": 0,
    }


def _manifest(kind: str, digest: str, axes: Mapping[str, Any], **rest: Mapping[str, Any]) -> dict[str, Any]:
    label = " ".join(str(value) for value in axes.values() if not isinstance(value, list))
    return {
        "kind": kind,
        "version": 1,
        "digest": digest,
        "label": f"{kind} {label}",
        "axes": axes,
        "code": {"fingerprint": _digest(kind)},
        "provenance": {"created": CREATED, "seconds": 3600.0, "host": "made up", "peak_memory_bytes": 10**9},
        **rest,
    }


def make_store(folder: Path, *, runs: int = 138, benchmarks: int = 26, questions: int = 1000) -> None:
    """Write a store of so many runs, with as many questions in each of so many benchmarks."""
    tests = [make_test(name, questions) for name in [*SUITES["hub"], "mmvet"][:benchmarks]]
    (folder / "questions").mkdir(parents=True)
    for test in tests:
        write_questions(folder / "questions" / test.rules.id, test.questions)
    for design in designs(runs):
        place = folder / "tune" / design.digest
        place.mkdir(parents=True)
        recipe = {"adapter": design.adapter}
        manifest = _manifest(
            "tune", design.digest, design.axes, recipe=recipe, inputs={}, metrics={"loss": 1.0}
        )
        seal(place, manifest)
        for test in tests:
            write_evaluation(folder, test, design, folder / "questions" / test.rules.id)


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _number(*parts: str) -> int:
    return int(_digest(*parts)[:8], 16)


def main() -> None:
    """Write the store and say how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=138)
    parser.add_argument("--benchmarks", type=int, default=26)
    parser.add_argument("--questions", type=int, default=1000)
    given = parser.parse_args()
    begin = time.perf_counter()
    make_store(given.folder, runs=given.runs, benchmarks=given.benchmarks, questions=given.questions)
    print(f"{given.runs} runs x {given.benchmarks} benchmarks in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
