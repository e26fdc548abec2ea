"""Figure 6 as data for the browser: lines with a point per category, of one source at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.lines import DESIGN, Line, own_lines, published_lines
from analysis.published import CATEGORIES, NAMES, benchmarks, category_only_models, recipe_models
from analysis.results import parts
from analysis.seeds import with_answers
from analysis.statistics import Estimate
from analysis.style import LOOKS
from analysis.units import Credits

AXES = ("encoder", *DESIGN)
"""What a line of the figure can be told apart by."""
DECIMALS = 2
"""Of points in the file; more than any table shows."""

Data = dict[str, Any]
"""Plain JSON values."""


def figure_data(frame: pd.DataFrame, credits: Sequence[Credits]) -> tuple[Data, tuple[str, ...]]:
    """Give what can be drawn, and notes on what is left out.

    Results of different scales are different sources. Own and published lines stand side by side only where
    both are scores of whole benchmarks at the paper's scale.
    """
    sources, notes = [], []
    for scale in sorted(set(frame["scale"])):
        part = frame[frame["scale"] == scale]
        own = with_answers(own_lines(part), part, lambda: credits)
        notes += [f"{scale}: {note}" for note in own.notes]
        sources.append(_source(f"own {scale}", _name(scale), own.lines, own.benchmarks))
        if scale == "paper" and not parts(part):
            both = with_answers(own_lines(part, as_published=True), part, lambda: credits)
            lines = (*both.lines, *map(_named_alike, _published()))
            sources.append(_source("both", "Own and published side by side", lines, both.benchmarks))
    sources.append(_source("published", "Published results (Cambrian-1)", _published(), benchmarks()))
    looks = {
        name: {"name": look.name, "color": look.color, "marker": look.marker, "dashes": _dashes(look.dashes)}
        for name, look in LOOKS.items()
    }
    return {"categories": dict(CATEGORIES), "axes": AXES, "looks": looks, "sources": sources}, tuple(notes)


def _published() -> tuple[Line, ...]:
    return published_lines([*recipe_models(), *category_only_models()])


def _named_alike(line: Line) -> Line:
    """A published line with its design in the words of own results; with one encoder, concat is the MLP."""
    encoder = NAMES.get(line.encoder, line.encoder)
    return replace(line, encoder=encoder, design={**line.design, "connector": "concat"})


def _name(scale: str) -> str:
    return "Own results at the paper's scale" if scale == "paper" else f"{scale.capitalize()} results"


def _source(key: str, name: str, lines: Sequence[Line], ids: Mapping[str, Sequence[str]]) -> Data:
    """One choice of what is drawn; `ids` are the benchmarks that the points of each category average."""
    return {
        "key": key,
        "name": name,
        "benchmarks": {category: list(names) for category, names in ids.items()},
        "lines": [_line(line) for line in lines if line.points],
    }


def _line(line: Line) -> Data:
    points = {
        category: [*_numbers(point.estimate), rounded(point.blind), rounded(point.chance), point.partial]
        for category, point in line.points.items()
    }
    return {
        "label": line.label,
        "supervision": line.supervision,
        "published": line.source == "published",
        "scale": line.scale,
        "design": {"encoder": line.encoder, **line.design},
        "points": points,
        "average": None if line.average is None else _numbers(line.average),
        "gain": rounded(line.gain),
        "seeds": list(line.seeds),
        "runs": [run[:12] for run in line.runs],
    }


def _numbers(estimate: Estimate) -> list[float | int | None]:
    return [rounded(estimate.score), rounded(estimate.low), rounded(estimate.high)]


def rounded(value: float | None) -> float | int | None:
    """Round a number for the file, where `1` is shorter than `1.0`."""
    if value is None or math.isnan(value):
        return None
    short = round(float(value), DECIMALS)
    return int(short) if short.is_integer() else short


def _dashes(dashes: object) -> str:
    """Write dashes as SVG does."""
    return " ".join(f"{part:g}" for part in dashes[1]) if isinstance(dashes, tuple) else ""
