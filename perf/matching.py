"""What reading and scoring stored answers costs.

python perf/matching.py [--answers 30000]

Matchers: answers per second of each on the torture set, against what the authors' scorers do in its place
(the first character, the first word, the first number, the text as it is). Scoring: a store of so many
answers, half of them blind, to ten benchmarks, scored again by `python -m cambrian.benchmarks.rescore` in a
process of its own, by either protocol, and the same from one file by `python -m cambrian.benchmarks.score`;
CPU seconds with the start of Python, and whether torch was imported.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cambrian.benchmarks.matchers import MATCHERS
from cambrian.benchmarks.records import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    Prediction,
    Question,
    write_predictions,
    write_questions,
)
from cambrian.benchmarks.scoring import score
from cambrian.benchmarks.suite import BENCHMARKS
from cambrian.benchmarks.torture import load_cases

SECONDS = 1.0
"""CPU time that each measurement of a matcher takes."""
ASKED = (
    *("seed_i", "ai2d", "mmstar", "sqa_i", "gqa"),
    *("chartqa", "textvqa", "docvqa", "ocrbench", "pope"),
)
WORDS = "lamp chair table bookcase window door street garden bottle kettle mirror ladder".split()  # noqa: SIM905
SAID = ("{0}", "{0}.", "({0})", "{0}", "The answer is {0}.", "It is {0}, because of the {1}.")
"""What models say; mostly no more than they are asked for."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

BASELINES: Mapping[str, Callable[[str], str | None]] = {
    "choice": lambda raw: raw.lower().rpartition("answer is")[2].strip().rstrip(".:,").lstrip("(")[:1],
    "yes_no": lambda raw: (raw.lower().split() or [""])[0].rstrip(".:,"),
    "number": lambda raw: found[0] if (found := _NUMBER.search(raw)) else None,
    "short": lambda raw: raw.lower().strip().rstrip("."),
    "text": lambda raw: raw.lower().strip().replace("\n", " "),
}
"""In place of a matcher, what a scorer of the authors does."""


def per_second(read: Callable[[], object], count: int) -> float:
    """Answers per CPU second of `read`, which reads `count` of them."""
    began = time.process_time()
    done = 0
    while (spent := time.process_time() - began) < SECONDS:
        read()
        done += count
    return done / spent


def time_matchers() -> None:
    """Print one line per matcher."""
    cases = load_cases()
    print(f"{'matcher':10}{'answers':>9}{'answers/s':>12}{'baseline/s':>13}{'ratio':>8}")
    for name, baseline in BASELINES.items():
        asked = [(case.raw, case.options) for case in cases if case.matcher == name]
        read = MATCHERS[name].read
        ours = per_second(
            lambda read=read, asked=asked: [read(raw, known) for raw, known in asked], len(asked)
        )
        plain = per_second(lambda base=baseline, asked=asked: [base(raw) for raw, _ in asked], len(asked))
        print(f"{name:10}{len(asked):>9,}{ours:>12,.0f}{plain:>13,.0f}{ours / plain:>8.3f}")


def make_question(name: str, number: int, chance: random.Random) -> Question:
    """Make a question as the benchmark `name` has them; two about each picture."""
    matcher = BENCHMARKS[name].matcher
    options = tuple(chance.sample(WORDS, 4)) if matcher == "choice" else ()
    kinds = {"choice": "ABCD", "yes_no": ("yes", "no")}
    answer = chance.choice(kinds.get(matcher, [*WORDS, "42", "17.5", "1,200"]))
    people = [answer] * 6 + chance.sample(WORDS, 4) if name == "textvqa" else []
    image = f"{name} {number // 2}"
    return Question(
        id=f"{name} {number}", image=image, prompt="?", answer=answer, options=options, answers=tuple(people)
    )


def say(question: Question, chance: random.Random) -> str:
    """Answer in one of the ways in which models do, right about half of the time."""
    guess = chance.choice("ABCD" if question.options else [*WORDS, "yes", "no", "42"])
    answer = question.answer if chance.random() < 0.5 else guess
    return chance.choice(SAID).format(answer, chance.choice(WORDS))


def write_answers(folder: Path, answers: int) -> tuple[Path, Path]:
    """Write a store of evaluations, and a file with the same answers."""
    chance = random.Random(0)  # noqa: S311 - nothing is kept secret
    each = answers // (2 * len(ASKED))
    lines = []
    for name in ASKED:
        questions = [make_question(name, number, chance) for number in range(each)]
        said = [
            Prediction(id=one.id, vision=vision, prompt="?", raw=say(one, chance))
            for vision in (True, False)
            for one in questions
        ]
        place = folder / "store" / "evaluate" / f"{name:0<64}"
        place.mkdir(parents=True)
        write_questions(place / QUESTIONS_FILE, questions)
        write_predictions(place / PREDICTIONS_FILE, said)
        row = BENCHMARKS[name]
        metrics = score(row, questions, said).metrics()
        (place / "manifest.json").write_text(
            json.dumps({"recipe": {"benchmark": row.recipe()}, "metrics": metrics})
        )
        by_id = {one.id: one for one in questions}
        lines += [json.dumps(_line(name, by_id[one.id], one)) for one in said]
    (folder / "answers.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "store", folder / "answers.jsonl"


def _line(name: str, question: Question, said: Prediction) -> dict[str, object]:
    return {
        "id": question.id,
        "benchmark": name,
        "prediction": said.raw,
        "vision": said.vision,
        "answer": question.answer,
        "options": question.options,
        "image": question.image,
        "answers": question.answers,
    }


def time_scoring(answers: int) -> None:
    """Print CPU seconds of scoring a store and a file of so many answers."""
    with tempfile.TemporaryDirectory(prefix="perf-matching-") as name:
        store, file = write_answers(Path(name), answers)
        print(f"\n{answers:,} answers{'':20}{'CPU s':>8}{'answers/s':>12}  torch")
        for module, place in (("rescore", store), ("score", file)):
            for protocol in ("strict", "paper"):
                words = [f"cambrian.benchmarks.{module}", str(place), "--protocol", protocol]
                code = (
                    "import runpy, sys; sys.argv = sys.argv[1:]\n"
                    "try: runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=False)\n"
                    "except SystemExit as end: assert not end.code, end.code\n"
                    "print('torch' in sys.modules, file=sys.stderr)"
                )
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                assert not done.returncode, done.stderr
                spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                torch = "imported" if done.stderr.strip() == "True" else "not imported"
                print(
                    f"{module + ' --protocol ' + protocol:34}{spent:>8.2f}{answers / spent:>12,.0f}  {torch}"
                )


def main() -> None:
    """Time both in one run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=30_000)
    given = parser.parse_args()
    time_matchers()
    time_scoring(given.answers)


if __name__ == "__main__":
    main()
