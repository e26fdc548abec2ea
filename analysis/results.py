"""Own results: every finished evaluation of a store as one table, and what could not be read, by name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import AnalysisError, unknown
from analysis.object_storage import brought_here
from analysis.published import CATEGORIES, to_points

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_STORE = ROOT / "runs"
MANIFEST = "manifest.json"

SUPERVISIONS = ("language", "self", "other", "mixed", "control")
CONTROLS = frozenset({"random", "pixels"})
"""Encoders that learnt nothing: what any pre-trained one has to beat."""

ROUNDING = 1e-9
"""Points by which numbers that should be equal may differ."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One benchmark of one run. Scores and levels are in points, 0 to 100."""

    run: str
    """Digest of the model."""
    scale: str
    encoder: str
    """Name, or names joined by `+`."""
    supervision: str
    connector: str
    adapter: str
    vision: str
    instruct: str
    llm: str
    seed: int
    proxy: float
    """Part of the training examples that was used; below 1 this is a first look and no result."""
    answering: str
    """How it answered: `GENERATE`, or by the likeliest of the options."""
    benchmark: str
    category: str
    score: float
    low: float
    high: float
    blind: float
    """Not a number where nobody asked without the image, as in results of another evaluator."""
    chance: float
    majority: float
    n: int
    """Questions that were asked."""
    total: int
    """Questions that the benchmark has; 0 where there is no end to them. Above `n` this is a part of it."""
    unanswered: int
    """Of the `n`, those whose picture could not be shown."""
    unparsed: float
    digest: str
    """Of the evaluation."""
    created: str
    """UTC, ISO 8601."""


COLUMNS = tuple(Row.__dataclass_fields__)
AXES = ("encoder", "connector", "adapter", "vision", "instruct", "llm", "scale", "seed", "answering")
"""What can be chosen among results; all but the last two tell one line of a figure from another."""
GENERATE = "generate"
"""In its own words: results are answered in this way unless something else is chosen, and never mixed."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a store holds."""

    frame: pd.DataFrame
    """One row per run and benchmark with the columns of `Row`."""
    problems: tuple[str, ...]
    """Evaluations that could not be read: where, and why."""
    superseded: int
    """Older evaluations of a run on a benchmark that has a newer one; not in the frame."""
    unscored: Mapping[str, str]
    """Benchmarks that were asked and cannot be scored -> why; not in the frame."""


@contextmanager
def open_store(given: str | None, files: Sequence[str] = (), more: Sequence[str] = ()) -> Iterator[Path]:
    """Give the directory of the store `given`, else $CAMBRIAN_STORE, else `runs` beside run.py.

    Of a store at a URL it has the manifests of the evaluations, the `files` beside them, and what fits the
    patterns in `more`, such as `failed/*.json`; they are gone afterwards.

    Raises:
        AnalysisError: if the URL cannot be read.
    """
    place = given or os.environ.get("CAMBRIAN_STORE") or str(DEFAULT_STORE)
    if "://" not in place:
        yield Path(place)
        return
    with brought_here(place, (MANIFEST, *files), more) as folder:
        yield folder


def read_results(store: Path, *, proxy: float = 1.0, answering: str = GENERATE) -> Results:
    """Read the evaluations of `store`; a store that does not exist has none.

    Args:
        store: directory of finished stages.
        proxy: below 1, first looks at this part of the data are read, and nothing else.
        answering: how the models have answered; other evaluations are not read.
    """
    rows: list[Row] = []
    problems: list[str] = []
    unscored: dict[str, str] = {}
    folder = store / "evaluate"
    for place in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            manifest = _manifest(place)
            if "unscored" in (metrics := _object(manifest, "metrics")):
                unscored[_text(_object(manifest, "axes"), "benchmark")] = _text(metrics, "unscored")
            else:
                rows.append(_row(manifest))
        except (OSError, ValueError) as error:
            problems.append(f"{place}: {error}")
    frame = pd.DataFrame([vars(row) for row in rows], columns=list(COLUMNS))
    frame = frame[(frame["proxy"] == proxy) & (frame["answering"] == answering)]
    frame = frame.sort_values(["run", "benchmark", "created", "digest"], ignore_index=True)
    latest = frame.drop_duplicates(["run", "benchmark"], keep="last").reset_index(drop=True)
    return Results(
        frame=latest,
        problems=tuple(problems),
        superseded=len(frame) - len(latest),
        unscored=dict(sorted(unscored.items())),
    )


def parts(frame: pd.DataFrame) -> dict[str, str]:
    """Benchmarks of which `frame` has scores of a part -> how much was asked, such as `4 of 2,114`."""
    part = frame[frame["total"] > frame["n"]]
    asked = part.groupby("benchmark")[["n", "total"]].min()
    return {
        str(name): asked_share(int(n), int(total))
        for name, n, total in zip(asked.index, asked["n"], asked["total"], strict=True)
    }


def asked_share(n: int, total: int) -> str:
    """How much of a benchmark was asked, such as `4 of 2,114`; empty if that is all of it."""
    return f"{n:,} of {total:,}" if total > n else ""


def choose(frame: pd.DataFrame, choices: Mapping[str, str]) -> pd.DataFrame:
    """Rows of `frame` that have every axis -> value of `choices`.

    Raises:
        AnalysisError: for an axis or a value that is not there.
    """
    for axis, value in choices.items():
        if axis not in AXES:
            raise AnalysisError(unknown("axis", axis, AXES))
        values = frame[axis].astype("str")
        if value not in set(values):
            raise AnalysisError(unknown(f"{axis} in these results", value, set(values)))
        frame = frame[values == value]
    return frame.reset_index(drop=True)


def _manifest(place: Path) -> dict[str, Any]:
    """The manifest of one evaluation; ValueError or OSError says what is wrong with it."""
    path = place / MANIFEST
    if not path.is_file():
        raise ValueError(f"no {MANIFEST}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{MANIFEST} is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise ValueError("the manifest is not a JSON object")
    kind, digest = _text(manifest, "kind"), _text(manifest, "digest")
    if (kind, digest) != ("evaluate", place.name):
        raise ValueError(f"the manifest belongs to {kind} {digest}")
    return manifest


def _row(manifest: Mapping[str, Any]) -> Row:
    """One evaluation, checked field by field; ValueError says what is wrong with it."""
    axes, metrics = _object(manifest, "axes"), _object(manifest, "metrics")
    encoders, benchmark = _texts(axes, "encoder"), _text(axes, "benchmark")
    category = _text(axes, "category")
    if category not in CATEGORIES:
        raise ValueError(unknown("category", category, CATEGORIES))
    points = {
        name: to_points(benchmark, _number(metrics, name))
        for name in ("score", "low", "high", "chance", "majority")
    }
    is_ours = "imported" not in _object(manifest, "provenance")
    has_blind = is_ours or "blind" in metrics
    points["blind"] = to_points(benchmark, _number(metrics, "blind")) if has_blind else math.nan
    ends = (0.0, points["low"], points["score"], points["high"], 100.0)
    if any(left > right + ROUNDING for left, right in pairwise(ends)):
        raise ValueError(f"low, score and high are not in order from 0 to 100: {points}")
    return Row(
        run=_text(_object(manifest, "inputs"), "model"),
        scale=_text(axes, "scale"),
        encoder="+".join(encoders),
        supervision=_supervision(encoders, _texts(axes, "supervision")),
        connector=_text(axes, "connector"),
        adapter=_text(axes, "adapter"),
        vision=_vision(axes),
        instruct=_text(axes, "instruct"),
        llm=_text(axes, "llm"),
        seed=int(_number(axes, "seed")),
        proxy=_number(axes, "proxy") if "proxy" in axes else 1.0,
        answering=_text(axes, "answering") if "answering" in axes else GENERATE,
        benchmark=benchmark,
        category=category,
        **points,
        **_counts(metrics),
        unparsed=_number(metrics, "unparsed"),
        digest=_text(manifest, "digest"),
        created=_text(_object(manifest, "provenance"), "created"),
    )


def _counts(metrics: Mapping[str, Any]) -> dict[str, int]:
    """Questions: asked, in all and without a picture; the last two are not said of what has no end."""
    lacking = {"total": 0, "unanswered": 0}
    counts = {name: int(_number({**lacking, **metrics}, name)) for name in ("n", *lacking)}
    if (counts["total"] and counts["total"] < counts["n"]) or counts["unanswered"] > counts["n"]:
        raise ValueError(f"more questions asked than there are, or unanswered than asked: {counts}")
    return counts


def _vision(axes: Mapping[str, Any]) -> str:
    """Whether the encoders trained, and how much of them if not all."""
    vision = _text(axes, "vision")
    return f"{vision} last {int(_number(axes, 'vision_blocks'))}" if "vision_blocks" in axes else vision


def _supervision(encoders: tuple[str, ...], supervisions: tuple[str, ...]) -> str:
    """One word for the encoders of a run; pre-trained encoders of several families are mixed."""
    if CONTROLS.issuperset(encoders):
        return "control"
    for supervision in supervisions:
        if supervision not in SUPERVISIONS:
            raise ValueError(unknown("supervision", supervision, SUPERVISIONS))
    return supervisions[0] if len(set(supervisions)) == 1 else "mixed"


def _value(record: Mapping[str, Any], name: str) -> object:
    if name not in record:
        raise ValueError(f"no field '{name}'")
    return record[name]


def _object(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = _value(record, name)
    if not isinstance(value, dict):
        raise ValueError(f"'{name}' is not an object")
    return value


def _text(record: Mapping[str, Any], name: str) -> str:
    value = _value(record, name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"'{name}' is not a text: {value!r}")
    return value


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = _value(record, name)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"'{name}' is not a list of texts: {value!r}")
    return tuple(value)


def _number(record: Mapping[str, Any], name: str) -> float:
    value = _value(record, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"'{name}' is not a finite number: {value!r}")
    return float(value)
