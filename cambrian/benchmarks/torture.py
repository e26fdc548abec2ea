"""Hard answers and what a careful reader takes from them: `python -m cambrian.benchmarks.torture`.

`torture.jsonl` beside this file has one case per line: a matcher, the options of the question if it has any,
what a model said, the answer in it (null where there is none), and the origin: which failure it stands for.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from cambrian.benchmarks.matchers import find_matcher

CASES = Path(__file__).with_name("torture.jsonl")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One answer, and what it says."""

    id: str
    origin: str
    matcher: str
    options: tuple[str, ...]
    raw: str
    answer: str | None

    def read(self) -> str | None:
        """What the matcher takes from it."""
        return find_matcher(self.matcher).parse(self.raw, self.options)

    def passes(self) -> bool:
        """Whether the matcher takes from it what a careful reader does."""
        read = self.read()
        if read is None or self.answer is None:
            return read is self.answer
        matcher = find_matcher(self.matcher)
        wanted = matcher.wanted(self.answer, self.options)
        return wanted is not None and matcher.same(read, wanted)


def load_cases() -> list[Case]:
    """All cases, in the order of the file."""
    lines = CASES.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [Case(**{**record, "options": tuple(record["options"])}) for record in records]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how many cases pass, by origin and by matcher, and every one that does not; 1 if there is one."""
    argparse.ArgumentParser(prog="python -m cambrian.benchmarks.torture", description=__doc__).parse_args(
        arguments
    )
    cases = load_cases()
    failing = [case for case in cases if not case.passes()]
    console = Console(width=110, highlight=False, markup=False)
    console.print(_table("origin", cases, failing))
    console.print(_table("matcher", cases, failing))
    for case in failing:
        console.print(
            f"{case.id}  {case.raw!r}  options {list(case.options)}  "
            f"wanted {case.answer!r}, read {case.read()!r}"
        )
    refused = sum(case.answer is None for case in cases)
    console.print(f"{len(cases) - len(failing)} of {len(cases)} pass; {refused} hold no answer")
    return 1 if failing else 0


def _table(field: str, cases: Sequence[Case], failing: Sequence[Case]) -> Table:
    table = Table(field, box=box.SIMPLE)
    for column in ("cases", "without answer", "passed"):
        table.add_column(column, justify="right")
    failed = Counter(getattr(case, field) for case in failing)
    unanswerable = Counter(getattr(case, field) for case in cases if case.answer is None)
    for name, count in Counter(getattr(case, field) for case in cases).items():
        table.add_row(name, str(count), str(unanswerable[name]), str(count - failed[name]))
    return table


if __name__ == "__main__":
    sys.exit(main())
