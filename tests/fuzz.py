"""Inputs that nobody would write, for whatever reads what models and people have written.

python tests/fuzz.py --seconds 300 [--only WORD] [--seed N]

Matchers, the authors' scorers, the readers of predictions and of training rows get texts from hypothesis,
and mutations of good ones, in turn. A target raises nothing but the errors that it documents, and takes no
more than `SLOW_SECONDS` of CPU time for an input. Prints the executions of each; 1 if there was anything
else, with the smallest input that hypothesis finds for it.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz_inputs import (
    ANSWERS,
    ASKED,
    CHANCE,
    GOOD_PREDICTION,
    GOOD_ROW,
    OPTIONS,
    PREDICTION,
    ROW,
    STORED,
    TEXTS,
    archive,
    files,
    mutate_bytes,
    objects,
    questions,
    values,
)
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from cambrian.benchmarks.authors import AUTHORS
from cambrian.benchmarks.matchers import MATCHERS
from cambrian.benchmarks.records import Question, read_predictions, read_questions
from cambrian.benchmarks.score import score_sheets
from cambrian.benchmarks.sheets import read_sheets
from cambrian.benchmarks.totals import METRICS
from cambrian.data.images import Folder
from cambrian.data.llava import parse_row
from cambrian.data.llava_corpus import inspect
from cambrian.data.rows import index_rows
from cambrian.data.tar_shards import open_shards
from cambrian.errors import DataError, UserError

ROUND = 200
"""Executions of a target before the next one has its turn."""
SLOW_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that reads what may be anything."""

    name: str
    inputs: st.SearchStrategy[Any]
    read: Callable[[Any, Path], object]
    """Given an input and an empty folder."""
    errors: tuple[type[Exception], ...] = ()
    """What it documents that it raises."""


class SlowError(Exception):
    """An input took too long."""


def written(read: Callable[[Path], object], name: str) -> Callable[[bytes, Path], object]:
    """Let something that reads a file read some bytes."""

    def execute(content: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return execute


def read_rows(path: Path) -> None:
    """Read every row; each may be bad, and none keeps the next from being read."""
    rows = index_rows(path)
    for number in range(len(rows)):
        try:
            rows[number]
        except DataError:
            continue


def read_shards(path: Path) -> None:
    """Read every row of a shard as training does."""
    shards = open_shards([path])
    inspect(shards, shards)


def match(name: str) -> Callable[[Any, Path], object]:
    """Read an answer, and as if it were the benchmark's own; its credit is from 0 to 1."""
    matcher = MATCHERS[name]

    def execute(asked: tuple[str, tuple[str, ...], str], folder: Path) -> None:
        raw, options, answer = asked
        wanted = matcher.wanted(answer, options)
        read = matcher.read(raw, options).value
        assert read is None or (isinstance(read, str) and read), repr(read)
        if name == "choice" and options:
            assert read is None or read in "ABCDEF"[: len(options)], read
        if read is not None and wanted is not None:
            question = Question(id="1", image="1", prompt="", answer=answer, options=options)
            for metric in METRICS.values():
                assert 0 <= metric.credit(matcher, read, [wanted], question) <= 1, metric.name

    return execute


def judge_as_authors(name: str) -> Callable[[Any, Path], object]:
    """Give the credit of an answer; None where their scorer ends with an error."""

    def execute(asked: tuple[str, Question], folder: Path) -> None:
        credit = AUTHORS[name].credit(*asked)
        assert credit is None or 0 <= credit <= 1, credit

    return execute


def targets() -> Iterator[Target]:
    """List all of them."""
    for name in MATCHERS:
        yield Target(name=f"matcher {name}", inputs=st.tuples(TEXTS, OPTIONS, ANSWERS), read=match(name))
    for name in AUTHORS:
        asked = st.tuples(TEXTS, questions(name))
        yield Target(name=f"authors {name}", inputs=asked, read=judge_as_authors(name))
    bad = (DataError,)
    scored = written(lambda path: score_sheets(read_sheets(path)), "a.jsonl")
    yield Target(name="score", inputs=files(PREDICTION, GOOD_PREDICTION), read=scored, errors=(UserError,))
    stored, asked = files(objects(**dict.fromkeys(STORED, TEXTS)), STORED), files(PREDICTION, ASKED)
    yield Target(name="predictions", inputs=stored, read=written(read_predictions, "a.jsonl"), errors=bad)
    yield Target(name="questions", inputs=asked, read=written(read_questions, "a.jsonl"), errors=bad)
    rows = files(ROW, GOOD_ROW)
    yield Target(name="rows", inputs=rows, read=written(read_rows, "a.json"), errors=bad)
    yield Target(
        name="llava", inputs=ROW | values(), read=lambda row, _: parse_row(row), errors=(ValueError,)
    )
    corpus = written(lambda path: inspect(index_rows(path), Folder(path.parent)), "a.json")
    yield Target(name="llava corpus", inputs=rows, read=corpus, errors=bad)
    tar = st.builds(mutate_bytes, st.lists(ROW | st.just(GOOD_ROW), max_size=3).map(archive), CHANCE)
    yield Target(name="tar shards", inputs=tar, read=written(read_shards, "a.tar"), errors=bad)


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Raise if the body takes more CPU time; regular expressions look for signals, too."""

    def stop(*_: object) -> None:
        raise SlowError(f"more than {seconds} s of CPU time")

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def execute_round(target: Target, folder: Path, number: int) -> tuple[int, str]:
    """Execute a target some hundred times: how often, and what it raised that it does not document."""
    count = 0

    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(target.inputs)
    def execute(value: object) -> None:
        nonlocal count
        count += 1
        try:
            with no_longer_than(SLOW_SECONDS):
                target.read(value, folder)
        except target.errors:
            return

    try:
        with redirect_stderr(io.StringIO()):
            execute()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return count, "".join([*traceback.format_exception(error)[-4:], *getattr(error, "__notes__", ())])
    return count, ""


def main() -> int:
    """Fuzz in turns until the time is over; 1 if anything was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--only", default="", metavar="WORD", help="targets with this word in their names")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other inputs")
    options = parser.parse_args()
    chosen = [target for target in targets() if options.only in target.name]
    counts, found = dict.fromkeys((target.name for target in chosen), 0), {}
    end, number = time.monotonic() + options.seconds, options.seed << 32
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name) / "cache")
        while time.monotonic() < end and len(found) < len(chosen):
            number += 1
            for target in chosen:
                if target.name in found or time.monotonic() > end:
                    continue
                count, fault = execute_round(target, Path(name), number)
                counts[target.name] += count
                if fault:
                    found[target.name] = fault
    for name, count in counts.items():
        print(f"{name:24}{count:>9,}  {'FOUND' if name in found else ''}".rstrip())
    print(f"{sum(counts.values()):,} executions, {len(found)} targets with something found")
    for name, fault in found.items():
        print(f"\n{name}:\n{fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
