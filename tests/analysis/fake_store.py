"""Manifests of evaluations as the store writes them, for tests of what only reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LAB = {
    "existence": "general",
    "attribute": "general",
    "facts": "knowledge",
    "arithmetic": "knowledge",
    "charts": "ocr_chart",
    "letters": "ocr_chart",
    "counting": "vision_centric",
    "depth": "vision_centric",
}
SUPERVISION = {
    "siglip": "language",
    "clip": "language",
    "dinov2": "self",
    "mae": "self",
    "sam": "other",
    "random": "control",
    "pixels": "control",
}
CREATED = "2026-01-02T03:04:05+00:00"


def manifest(
    encoder: tuple[str, ...] = ("siglip",),
    benchmark: str = "counting",
    category: str = "vision_centric",
    axes: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    model: str | None = None,
    created: str = CREATED,
) -> dict[str, Any]:
    """One evaluation; `axes` and `metrics` replace single values."""
    design = {
        "scale": "lab",
        "encoder": list(encoder),
        "supervision": [SUPERVISION[name] for name in encoder],
        "connector": "concat",
        "adapter": "1.2M",
        "vision": "frozen",
        "instruct": "737k",
        "llm": "tiny",
        "seed": 0,
        **(axes or {}),
    }
    run = model or hashlib.sha256(json.dumps(design, sort_keys=True).encode()).hexdigest()
    digest = hashlib.sha256(f"{run} {benchmark} {created}".encode()).hexdigest()
    return {
        "kind": "evaluate",
        "version": 1,
        "digest": digest,
        "label": f"evaluate {'+'.join(encoder)} {benchmark}",
        "axes": {**design, "benchmark": benchmark, "category": category},
        "recipe": {},
        "inputs": {"model": run},
        "metrics": {
            "score": 50.0,
            "low": 44.0,
            "high": 56.0,
            "blind": 30.0,
            "chance": 25.0,
            "majority": 26.0,
            "n": 240,
            "unparsed": 0.0,
            **(metrics or {}),
        },
        "provenance": {"created": created, "seconds": 1.0},
    }


def put(store: Path, record: Mapping[str, Any]) -> Path:
    """Write `record` where the store would; returns its directory."""
    place = store / "evaluate" / str(record["digest"])
    place.mkdir(parents=True)
    (place / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    return place


def fill(
    store: Path, encoder: tuple[str, ...], score: float = 50.0, axes: Mapping[str, Any] | None = None
) -> None:
    """One run on all eight lab benchmarks, `score` plus a step per benchmark."""
    for step, (benchmark, category) in enumerate(LAB.items()):
        value = score + 2.0 * step
        metrics = {"score": value, "low": value - 6.0, "high": value + 5.0, "blind": 28.0 + step}
        put(store, manifest(encoder, benchmark, category, axes=axes, metrics=metrics))
