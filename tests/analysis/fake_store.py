"""Manifests of evaluations as the store writes them, for tests of what only reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cambrian.benchmarks.units import FULL, SCHEMA, UNITS_FILE, write_units

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


def answer(
    store: Path,
    encoder: tuple[str, ...],
    benchmark: str,
    sighted: Sequence[float],
    *,
    blind: Sequence[float] | None = None,
    clusters: Sequence[int] | None = None,
    units: Sequence[str] | None = None,
    category: str = "vision_centric",
    axes: Mapping[str, Any] | None = None,
) -> Path:
    """One evaluation with the credits of its units, of equal weights; each unit is a cluster unless told."""
    count = len(sighted)
    without = sighted if blind is None else blind
    full = 2000.0 if benchmark == "mme_p" else 100.0
    names = [f"q{index:05d}" for index in range(count)] if units is None else list(units)
    score = full * float(np.mean(sighted))
    metrics = {
        "score": score,
        "low": max(score - 0.06 * full, 0.0),
        "high": min(score + 0.06 * full, full),
        "blind": full * float(np.mean(without)),
        "n": count,
    }
    record = manifest(encoder, benchmark, category, axes=axes, metrics=metrics)
    place = put(store, record)
    columns = {
        "unit": names,
        "cluster": names if clusters is None else [f"picture{number}" for number in clusters],
        "part": [""] * count,
        "weight": [1 / count] * count,
        "sighted": sighted,
        "blind": without,
    }
    write_units(place / UNITS_FILE, pa.table(columns, schema=SCHEMA.with_metadata({FULL: repr(full)})))
    return place
