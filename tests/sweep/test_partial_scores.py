"""Scores of parts of benchmarks are named as such, and scales other than percent do not spoil averages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cambrian.stages.base import Artifact
from cambrian.sweep.scores import category_means, partial


def evaluation(benchmark: str, **metrics: Any) -> Artifact:
    axes = {"benchmark": benchmark, "category": "general"}
    metrics = {"score": 50.0, "blind": 40.0, "chance": 25.0, "n": 10, **metrics}
    return Artifact(digest="", path=Path(), manifest={"axes": axes, "metrics": metrics})


def test_what_is_a_part_and_why() -> None:
    assert partial([evaluation("lab_count"), evaluation("gqa", total=10, unanswered=0)]) == []
    assert partial(
        [evaluation("gqa", total=12578, unanswered=0), evaluation("ai2d", n=3088, total=3088, unanswered=2)]
    ) == ["gqa: 10 of 12,578 questions", "ai2d: 2 without a picture that can be shown"]


def test_the_scale_of_mme_before_averaging() -> None:
    means = category_means([evaluation("mme_p", score=1400.0, blind=1000.0, chance=500.0), evaluation("gqa")])
    assert means == {"general": {"score": 60.0, "blind": 45.0, "chance": 25.0}}
