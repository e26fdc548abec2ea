"""The table of benchmarks: a new one is one row, and a matcher only if none here reads its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cambrian.benchmarks.hub.rows import HUB, PAPER16, UNSCORED
from cambrian.benchmarks.records import Question
from cambrian.benchmarks.rows import Benchmark
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


_LAB_PREFIX = "lab_"


def _lab(task: str, display: str, category: str, matcher: str, *, closed: bool = True) -> Benchmark:
    return Benchmark(
        id=f"{_LAB_PREFIX}{task}",
        display=display,
        category=category,
        matcher=matcher,
        metric="accuracy",
        cluster="image",
        max_new_tokens=8,
        source="lab",
        closed=closed,
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
        _lab("spelling", "Spelling", "ocr_chart", "short", closed=False),
        _lab("chart", "Chart", "ocr_chart", "number"),
        _lab("chart_extreme", "Chart Extreme", "ocr_chart", "short"),
        _lab("count", "Count", "vision_centric", "number"),
        _lab("depth", "Depth", "vision_centric", "short"),
        _lab("location", "Location", "vision_centric", "short"),
        *HUB.values(),
        *UNSCORED.values(),
    )
}

SUITES: dict[str, tuple[str, ...]] = {
    "lab": tuple(row.id for row in BENCHMARKS.values() if row.source == "lab"),
    "paper16": PAPER16,
    "hub": tuple(HUB),
    "unscored": tuple(UNSCORED),
}
"""Named lists of benchmark ids: the lab's, the paper's sixteen, all real ones that have a score, the rest."""


PER_POINT: dict[str, float] = {"mme_p": 20.0}
"""Benchmarks that are not scored from 0 to 100 -> what a score is divided by before averaging."""


def known_names() -> list[str]:
    """Ids of benchmarks and names of suites."""
    return [*BENCHMARKS, *SUITES]


def select(names: Sequence[str]) -> list[Benchmark]:
    """Look up benchmarks by their ids or by suites; each comes once, in the order of the table.

    Raises:
        UserError: if a name is neither; names the nearest known one.
    """
    unknown = [unknown_name("benchmark", name, known_names()) for name in names if name not in known_names()]
    if unknown:
        raise UserError("\n".join(unknown))
    chosen = {row for name in names for row in SUITES.get(name, (name,))}
    return [benchmark for benchmark in BENCHMARKS.values() if benchmark.id in chosen]


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


def images(
    benchmark: Benchmark, n: int, seed: int, resolution: int, chosen: Sequence[int] | None = None
) -> np.ndarray:
    """Draw the pictures of `questions(benchmark, n, seed)`, all or the `chosen`: uint8 (B, R, R, 3)."""
    from cambrian.lab.render import render_batch

    items = _lab_items(benchmark, n, seed)
    indices = range(len(items)) if chosen is None else chosen
    return render_batch([items[index].scene for index in indices], resolution)


def _lab_items(benchmark: Benchmark, n: int, seed: int) -> list[LabItem]:
    from cambrian.lab.questions import benchmark_items

    assert benchmark.source == "lab", f"no questions from source '{benchmark.source}'"
    return benchmark_items(benchmark.id.removeprefix(_LAB_PREFIX), n, seed)
