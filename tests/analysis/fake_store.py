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
    """One run on all eight lab benchmarks, `score` plus a step per benchmark, and what it got right."""
    for step, (benchmark, category) in enumerate(LAB.items()):
        value = score + 2.0 * step
        metrics = {"score": value, "low": value - 6.0, "high": value + 5.0, "blind": 28.0 + step}
        record = manifest(encoder, benchmark, category, axes=axes, metrics=metrics)
        place = put(store, record)
        shift = int(str(record["inputs"]["model"]), 16)  # each run is right elsewhere
        sighted = np.roll(credits_of(value), shift % 240)
        write_credits(place, sighted, credits_of(28.0 + step), full=2000.0 if benchmark == "mme_p" else 100.0)


def forget_credits(store: Path) -> None:
    """Leave the manifests alone, as of evaluations that did not keep what was right."""
    for file in store.glob(f"evaluate/*/{UNITS_FILE}"):
        file.unlink()


def credits_of(score: float, count: int = 240) -> np.ndarray:
    """As many right answers as `score` (in per cent) asks for; one is right in part."""
    return np.clip(score / 100 * count - np.arange(count), 0.0, 1.0)


def write_credits(
    place: Path,
    sighted: Sequence[float] | np.ndarray,
    blind: Sequence[float] | np.ndarray,
    *,
    full: float,
    names: Sequence[str] = (),
    clusters: Sequence[str] = (),
) -> None:
    count = len(sighted)
    names = names or [f"q{index:05d}" for index in range(count)]
    columns = {
        "unit": names,
        "cluster": clusters or names,
        "part": [""] * count,
        "weight": [1 / count] * count,
        "sighted": sighted,
        "blind": blind,
    }
    write_units(place / UNITS_FILE, pa.table(columns, schema=SCHEMA.with_metadata({FULL: repr(full)})))


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
    pictures = [f"picture{number}" for number in clusters or ()]
    write_credits(place, sighted, without, full=full, names=units or (), clusters=pictures)
    return place
