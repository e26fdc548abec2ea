"""Lines of a figure: one encoder or run with a point in each category, published or own."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.answers import NO_ANSWERS, Answers
from analysis.published import AVERAGE, CATEGORIES, PublishedModel, benchmarks, figure6_models
from analysis.results import GENERATE, asked_share
from analysis.statistics import Estimate, mean, mean_of_benchmarks, mean_of_seeds

DESIGN = ("connector", "adapter", "vision", "instruct", "llm")
"""Axes besides the encoder that tell one line from another."""
PAPER_DESIGN = {"connector": "mlp", "llm": "vicuna_7b"}
"""What all models of the paper's Figure 6 share."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """The mean of one category: score, blind (without the image) and chance, in points."""

    estimate: Estimate
    blind: float | None = None
    chance: float | None = None
    partial: str = ""
    """Benchmarks of which only a part was asked, with how much; empty if there is none."""

    @property
    def gain(self) -> float | None:
        """What looking is worth: score minus blind."""
        return None if self.blind is None else self.estimate.score - self.blind


@dataclass(frozen=True, kw_only=True)
class Line:
    """One encoder, or one run with all its seeds."""

    label: str
    encoder: str
    supervision: str
    source: str
    """`published` or `own`."""
    scale: str
    design: Mapping[str, str]
    """Axis -> choice, for the axes of `DESIGN`."""
    points: Mapping[str, Point]
    """Category -> point; a category that is not fully evaluated is absent."""
    average: Estimate | None
    """Mean of the categories with equal weights; none if one is absent."""
    scores: Mapping[str, Point] = field(default_factory=dict)
    """Benchmark -> point; empty where the paper prints the means alone."""
    seeds: tuple[int, ...] = ()
    runs: tuple[str, ...] = ()
    """Digests of the models."""

    @property
    def partial(self) -> bool:
        """Whether a score in it is that of a part of a benchmark."""
        return any(point.partial for point in self.points.values())

    def is_partial(self, name: str) -> bool:
        """Whether the score of the category `name`, or the `average`, is of parts of benchmarks."""
        if name == AVERAGE:
            return self.partial
        return name in self.points and bool(self.points[name].partial)

    @property
    def gain(self) -> float | None:
        """Mean vision gain of the categories; none where there is no average."""
        gains = [point.gain for point in self.points.values() if point.gain is not None]
        return mean(gains) if self.average and len(gains) == len(CATEGORIES) else None


@dataclass(frozen=True, kw_only=True)
class OwnLines:
    """Own results, ready to draw."""

    lines: tuple[Line, ...]
    benchmarks: Mapping[str, tuple[str, ...]]
    """Category -> the benchmarks that every point of it is the mean of."""
    notes: tuple[str, ...]
    """What was left out or cannot be told apart by its axes, one sentence each."""
    questions: Mapping[str, int]
    """Benchmark -> questions that were asked, the most of any run."""
    answers: Answers = NO_ANSWERS
    """Behind the lines, once `seeds.with_answers` has found them."""


def published_lines(models: Sequence[PublishedModel] | None = None) -> tuple[Line, ...]:
    """The published `models`, by default the 19 of Figure 6."""
    return tuple(
        Line(
            label=model.encoder,
            encoder=model.encoder,
            supervision=model.supervision,
            source="published",
            scale="paper",
            design={
                **PAPER_DESIGN,
                "adapter": model.adapter,
                "vision": model.vision,
                "instruct": model.instruct.lower(),
            },
            points={name: Point(estimate=Estimate(score=score)) for name, score in model.means.items()},
            average=Estimate(score=mean(list(model.means.values()))),
            scores={name: Point(estimate=Estimate(score=score)) for name, score in model.scores.items()},
        )
        for model in (figure6_models() if models is None else models)
    )


def own_lines(frame: pd.DataFrame, *, as_published: bool = False) -> OwnLines:
    """One line per run of `frame` (columns of results.Row), runs that differ in the seed alone together.

    All runs use the same part of their data; first looks say so in their labels.

    Every point of a category is the mean of the same benchmarks: those that occur in `frame`, or the paper's
    four when `as_published`. A run that lacks one has no point there, and a note says so.
    """
    wanted = benchmarks() if as_published else _found(frame)
    notes = []
    extra = sorted(set(frame["benchmark"]) - {name for names in wanted.values() for name in names})
    if extra:
        notes.append(f"left out, since the paper's averages do not have them: {', '.join(extra)}")
    varying = [axis for axis in ("scale", *DESIGN) if frame[axis].nunique() > 1]
    looks = [f"proxy {proxy:g}" for proxy in sorted(set(frame["proxy"])) if proxy != 1]
    looks += [f"by {way}" for way in sorted(set(frame["answering"])) if way != GENERATE]
    points_of = _points_of_runs(frame)
    lines = []
    axes: list[str] = ["scale", "encoder", *DESIGN]
    for key, models in frame.drop_duplicates([*axes, "run"]).groupby(axes, sort=True):
        design = dict(zip(axes, (str(part) for part in key), strict=True))
        label = " ".join([design["encoder"], *(design[axis] for axis in varying), *looks])
        if models["seed"].duplicated().any():
            notes.append(
                f"{label}: {len(models)} models differ in other settings or versions; see the digests"
            )
            shares = [(f"{label} {run[:8]}", models[models["run"] == run]) for run in models["run"]]
        else:
            shares = [(label, models)]
        for name, part in shares:
            line, lacks = _own_line(name, design, part, wanted, points_of)
            notes += [f"{name}: {lack}" for lack in lacks]
            lines.append(line)
    asked = frame.groupby("benchmark")["n"].max()
    questions = {str(name): int(count) for name, count in zip(asked.index, asked, strict=True)}
    return OwnLines(lines=tuple(lines), benchmarks=wanted, notes=tuple(notes), questions=questions)


def _found(frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Category -> all benchmarks of it that occur in `frame`."""
    return {
        category: tuple(sorted(set(frame.loc[frame["category"] == category, "benchmark"])))
        for category in CATEGORIES
    }


def _points_of_runs(frame: pd.DataFrame) -> dict[str, dict[str, Point]]:
    """Run -> benchmark -> point, for all of `frame` at once: run by run pandas takes ten times as long."""
    points: dict[str, dict[str, Point]] = {}
    for row in frame.to_dict("records"):
        points.setdefault(str(row["run"]), {})[str(row["benchmark"])] = _point(row)
    return points


def _own_line(
    label: str,
    design: Mapping[str, str],
    models: pd.DataFrame,
    wanted: Mapping[str, Sequence[str]],
    points_of: Mapping[str, Mapping[str, Point]],
) -> tuple[Line, list[str]]:
    """The line of `models`, a row of each, and what it lacks in words."""
    models = models.sort_values("seed")
    by_run: list[dict[str, Point]] = []
    singles: list[dict[str, Point]] = []
    lacks: list[str] = []
    for run, seed in zip(models["run"], models["seed"], strict=True):
        found = points_of[run]
        by_run.append(
            {
                name: _mean_point([found[each] for each in ids])
                for name, ids in wanted.items()
                if ids and found.keys() >= set(ids)
            }
        )
        singles.append({name: found[name] for ids in wanted.values() for name in ids if name in found})
        for name, ids in wanted.items():
            if not found.keys() >= set(ids):
                missing = ", ".join(sorted(set(ids) - found.keys()))
                lacks.append(f"seed {seed} left out of {CATEGORIES[name]}: not evaluated on {missing}")
    averages = [
        mean_of_benchmarks([point.estimate for point in points.values()])
        for points in by_run
        if set(points) == set(CATEGORIES)
    ]
    points = _points_over_runs(by_run, list(CATEGORIES))
    line = Line(
        label=f"{label} (partial)" if any(point.partial for point in points.values()) else label,
        encoder=design["encoder"],
        supervision=str(models["supervision"].iloc[0]),
        source="own",
        scale=design["scale"],
        design={axis: design[axis] for axis in DESIGN},
        points=points,
        average=mean_of_seeds(averages) if averages else None,
        scores=_points_over_runs(singles, [name for ids in wanted.values() for name in ids]),
        seeds=tuple(int(seed) for seed in models["seed"]),
        runs=tuple(models["run"]),
    )
    return line, lacks


def _point(row: Mapping[Hashable, Any]) -> Point:
    """One benchmark of one run (columns of results.Row)."""
    share = asked_share(int(row["n"]), int(row["total"]))
    return Point(
        estimate=Estimate(score=row["score"], low=row["low"], high=row["high"]),
        blind=None if math.isnan(row["blind"]) else row["blind"],
        chance=row["chance"],
        partial=f"{row['benchmark']}: {share} questions" if share else "",
    )


def _mean_point(points: Sequence[Point]) -> Point:
    """Mean over benchmarks of one run."""
    return Point(
        estimate=mean_of_benchmarks([point.estimate for point in points]),
        blind=_mean_of_all([point.blind for point in points]),
        chance=mean([point.chance for point in points if point.chance is not None]),
        partial="; ".join(point.partial for point in points if point.partial),
    )


def _points_over_runs(by_run: Sequence[Mapping[str, Point]], names: Sequence[str]) -> dict[str, Point]:
    """Category or benchmark, of `names` -> mean over the runs that have it."""
    points = {}
    for name in names:
        found = [run[name] for run in by_run if name in run]
        if found:
            points[name] = Point(
                estimate=mean_of_seeds([point.estimate for point in found]),
                blind=_mean_of_all([point.blind for point in found]),
                chance=mean([point.chance for point in found if point.chance is not None]),
                partial="; ".join(dict.fromkeys(point.partial for point in found if point.partial)),
            )
    return points


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    """Mean, if nothing is missing."""
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def to_frame(lines: Sequence[Line]) -> pd.DataFrame:
    """One row per point; a gap keeps its row, without a score."""
    return pd.DataFrame([_record(line, category) for line in lines for category in CATEGORIES])


def _record(line: Line, category: str) -> dict[str, str | float | None]:
    gap = Point(estimate=Estimate(score=math.nan))
    point = line.points.get(category, gap)
    return {
        "encoder": line.encoder,
        "supervision": line.supervision,
        "category": category,
        "score": point.estimate.score,
        "low": point.estimate.low,
        "high": point.estimate.high,
        "source": line.source,
        "scale": line.scale,
        **line.design,
        "blind": point.blind,
        "chance": point.chance,
        "vision_gain": point.gain,
        "partial": point.partial,
        "seeds": " ".join(str(seed) for seed in line.seeds),
        "runs": " ".join(line.runs),
    }
