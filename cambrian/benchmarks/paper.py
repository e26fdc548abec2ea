"""The sixteen benchmarks of the paper, as far as planning needs them: names, categories, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PaperBenchmark:
    """One row."""

    id: str
    display: str
    """Name in figures and tables."""
    category: str
    questions: int
    source: str = "hub"

    def recipe(self) -> dict[str, Any]:
        """What determines an evaluation's result."""
        return {"id": self.id, "source": self.source}


def _row(name: str, display: str, category: str, questions: int) -> PaperBenchmark:
    return PaperBenchmark(id=name, display=display, category=category, questions=questions)


PAPER16 = (
    _row("mme_p", "MME-P", "general", 2374),
    _row("mmb", "MMBench", "general", 4377),
    _row("seed_i", "SEED-I", "general", 17990),
    _row("gqa", "GQA", "general", 12578),
    _row("sqa_i", "ScienceQA-I", "knowledge", 2017),
    _row("mmmu_v", "MMMU-V", "knowledge", 900),
    _row("mathvista_m", "MathVista-M", "knowledge", 1000),
    _row("ai2d", "AI2D", "knowledge", 3088),
    _row("chartqa", "ChartQA", "ocr_chart", 2500),
    _row("ocrbench", "OCRBench", "ocr_chart", 1000),
    _row("textvqa", "TextVQA", "ocr_chart", 5000),
    _row("docvqa", "DocVQA", "ocr_chart", 5188),
    _row("mmvp", "MMVP", "vision_centric", 300),
    _row("realworldqa", "RealWorldQA", "vision_centric", 765),
    _row("cvbench_2d", "CV-Bench 2D", "vision_centric", 1438),
    _row("cvbench_3d", "CV-Bench 3D", "vision_centric", 1200),
)
"""In the order of the paper's tables; GQA asks about 398 images."""
