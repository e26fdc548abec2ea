"""The table of benchmarks: a new one is one row, and a matcher only if none here reads its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.benchmarks.paper import PAPER16, PaperBenchmark
from cambrian.benchmarks.records import Question
from cambrian.benchmarks.scoring import Rules
from cambrian.errors import UserError, unknown_name

if TYPE_CHECKING:
    import numpy as np

    from cambrian.lab.questions import LabItem

CATEGORIES: dict[str, str] = {
    "general": "General",
    "knowledge": "Knowledge",
    "ocr_chart": "OCR & Chart",
    "vision_centric": "Vision-Centric",
}
"""The four groups of the paper's section 3.1, with their names in figures."""


@dataclass(frozen=True, kw_only=True)
class Benchmark(Rules):
    """One row: what is asked, how an answer is read, how it is scored and where it is shown."""

    display: str
    """Name in figures and tables."""
    category: str
    """Key of `CATEGORIES`."""
    max_new_tokens: int
    """Longest answer that is generated, in tokens."""
    source: str
    """Where the questions come from: `lab` is the procedural world."""
    questions: int = 0
    """All that there are; 0 where there is no end to them."""

    def recipe(self) -> dict[str, Any]:
        """What determines an evaluation's result; names and groupings for figures are not part of it."""
        return {
            "id": self.id,
            "matcher": self.matcher,
            "metric": self.metric,
            "cluster": self.cluster,
            "max_new_tokens": self.max_new_tokens,
            "source": self.source,
        }


_LAB_PREFIX = "lab_"


def _lab(task: str, display: str, category: str, matcher: str) -> Benchmark:
    return Benchmark(
        id=f"{_LAB_PREFIX}{task}",
        display=display,
        category=category,
        matcher=matcher,
        metric="accuracy",
        cluster="image",
        max_new_tokens=8,
        source="lab",
    )


BENCHMARKS: dict[str, Benchmark] = {
    row.id: row
    for row in (
        _lab("existence", "Existence", "general", "yes_no"),
        _lab("attribute", "Attribute", "general", "short"),
        _lab("composition", "Composition", "general", "yes_no"),
        _lab("facts", "Facts", "knowledge", "short"),
        _lab("sums", "Sums", "knowledge", "number"),
        _lab("text", "Text", "ocr_chart", "short"),
        _lab("spelling", "Spelling", "ocr_chart", "short"),
        _lab("chart", "Chart", "ocr_chart", "number"),
        _lab("chart_extreme", "Chart Extreme", "ocr_chart", "short"),
        _lab("count", "Count", "vision_centric", "number"),
        _lab("depth", "Depth", "vision_centric", "short"),
        _lab("location", "Location", "vision_centric", "short"),
    )
}

SUITES: dict[str, tuple[str, ...]] = {
    "lab": tuple(row.id for row in BENCHMARKS.values() if row.source == "lab"),
    "paper16": tuple(row.id for row in PAPER16),
}
"""Named lists of benchmark ids."""

_ROWS: dict[str, Benchmark | PaperBenchmark] = {**BENCHMARKS, **{row.id: row for row in PAPER16}}


def known_names() -> list[str]:
    """Ids of benchmarks and names of suites."""
    return [*_ROWS, *SUITES]


def select(names: Sequence[str]) -> list[Benchmark | PaperBenchmark]:
    """Look up benchmarks by their ids or by suites; each comes once, in the order of the table.

    Raises:
        UserError: if a name is neither; names the nearest known one.
    """
    unknown = [unknown_name("benchmark", name, known_names()) for name in names if name not in known_names()]
    if unknown:
        raise UserError("\n".join(unknown))
    chosen = {row for name in names for row in SUITES.get(name, (name,))}
    return [benchmark for benchmark in _ROWS.values() if benchmark.id in chosen]


def questions(benchmark: Benchmark, n: int, seed: int) -> list[Question]:
    """Make the benchmark's `n` questions: the same ones for the same `n` and `seed`."""
    return [
        Question(
            id=f"{_LAB_PREFIX}{item.id}",
            # Equal pictures have equal names, also across benchmarks and seeds.
            image=hashlib.sha256(repr(item.scene).encode()).hexdigest()[:16],
            prompt=item.question,
            answer=item.answer,
            options=item.options,
        )
        for item in _lab_items(benchmark, n, seed)
    ]


def images(benchmark: Benchmark, n: int, seed: int, resolution: int) -> np.ndarray:
    """Draw the pictures of `questions(benchmark, n, seed)`, in their order: uint8 (n, R, R, 3)."""
    from cambrian.lab.render import render_batch

    return render_batch([item.scene for item in _lab_items(benchmark, n, seed)], resolution)


def _lab_items(benchmark: Benchmark, n: int, seed: int) -> list[LabItem]:
    from cambrian.lab.questions import benchmark_items

    assert benchmark.source == "lab", f"no questions from source '{benchmark.source}'"
    return benchmark_items(benchmark.id.removeprefix(_LAB_PREFIX), n, seed)
