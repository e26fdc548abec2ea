"""The table of results as data for the browser: one row per model and benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.lines import DESIGN
from analysis.report.figure import rounded

RUN_AXES = ("scale", "encoder", *DESIGN, "seed")
"""What tells one model from another, in the order of their labels."""
NUMBERS = ("score", "low", "high", "blind", "chance", "majority", "unparsed")
COUNTS = ("n", "total", "unanswered")


def run_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give all models of `frame` in the order of their labels, which name the encoder and what varies."""
    runs = frame.drop_duplicates("run").sort_values([*RUN_AXES, "run"])
    varying = [axis for axis in RUN_AXES if axis != "encoder" and runs[axis].nunique() > 1]
    rows = []
    for record in runs.to_dict(orient="records"):
        words = [str(record["encoder"]), *(_word(axis, record[axis]) for axis in varying)]
        design = {axis: str(record[axis]) for axis in RUN_AXES}
        rows.append(
            {
                "label": " ".join(words),
                "digest": str(record["run"]),
                "supervision": str(record["supervision"]),
                "design": design,
            }
        )
    labels = [row["label"] for row in rows]
    for row in rows:
        if labels.count(row["label"]) > 1:  # they differ in settings that are no axis
            row["label"] += f" {row['digest'][:8]}"
    return rows


def score_columns(frame: pd.DataFrame, places: Mapping[str, int]) -> dict[str, Any]:
    """Give the rows of `frame` by columns; `places` says at which index the browser has each model."""
    ordered = frame.assign(place=frame["run"].map(places)).sort_values(["place", "benchmark"])
    names = sorted(set(ordered["benchmark"]))
    index = {name: number for number, name in enumerate(names)}
    categories = dict(zip(ordered["benchmark"], ordered["category"], strict=True))
    columns: dict[str, Any] = {
        "run": [int(place) for place in ordered["place"]],
        "benchmark": [index[name] for name in ordered["benchmark"]],
        **{name: [rounded(value) for value in ordered[name]] for name in NUMBERS},
        **{name: [int(value) for value in ordered[name]] for name in COUNTS},
        "digest": [str(digest) for digest in ordered["digest"]],
    }
    return {"benchmarks": [{"name": name, "category": categories[name]} for name in names], **columns}


def _word(axis: str, value: object) -> str:
    return f"seed {value}" if axis == "seed" else str(value)
