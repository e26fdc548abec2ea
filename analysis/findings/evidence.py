"""Trained models in one shape, published or own: what hypotheses and choices are tested on.

A published model is known by the line of the table that prints it, an own one by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from analysis.findings.catalog import Backbone, backbones
from analysis.lines import DESIGN
from analysis.published import (
    AVERAGE,
    CATEGORIES,
    NAMES,
    PublishedModel,
    benchmarks,
    category_only_models,
    recipe_models,
    scored,
)
from analysis.published_tables import connector_scores, ensemble_scores
from analysis.statistics import mean

UNSTATED = "unstated"
"""A design choice that the paper does not print; it is the same within one table."""

ENSEMBLE_NAMES: Mapping[str, str] = {
    "SigLIP": "siglip",
    "DINOv2": "dinov2",
    "CLIP": "clip",
    "ConvNeXt-L": "convnext_l",
    "ConvNeXt-XXL": "convnext",
}
"""Encoders as the tables of combinations call them, without resolutions -> name in results."""

CONNECTOR_STUDY = "four encoders, 576 tokens"
CONNECTOR_ENCODERS = ("siglip", "clip", "dinov2", "convnext")
"""What the models of the connector study share."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """One benchmark of one model, in points."""

    score: float
    blind: float
    """Of the same model without the image."""
    chance: float


@dataclass(frozen=True, kw_only=True)
class Model:
    """One trained and evaluated model."""

    key: str
    """Digest, or table and line."""
    encoders: tuple[str, ...]
    supervision: str
    """language, self, other, mixed or control."""
    design: Mapping[str, str]
    """Axis -> choice, for the axes of `DESIGN`."""
    means: Mapping[str, float]
    """Measure -> points; a category that is not fully evaluated is absent, and then so is the average."""
    seed: int = 0
    levels: Mapping[str, Levels] = field(default_factory=dict)
    """Benchmark -> levels; the paper's tables do not hold them."""
    has_catalog_resolution: bool = True
    """Whether its encoder sees images of the catalog's resolution; the lab's are all small."""

    @property
    def encoder(self) -> str:
        """Names of the encoders, joined by `+`."""
        return "+".join(self.encoders)

    @property
    def backbone(self) -> Backbone | None:
        """The catalog's entry of its only encoder; none for several, and for encoders of one's own."""
        return backbones().get(self.encoder)

    @property
    def resolution(self) -> int | None:
        """Pixels along a side of what its only encoder sees, if the catalog says so."""
        return self.backbone.resolution if self.backbone and self.has_catalog_resolution else None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All models of one source."""

    source: str
    """`published` or `own`."""
    scale: str
    models: tuple[Model, ...]
    benchmarks: Mapping[str, tuple[str, ...]]
    """Category -> the benchmarks that a mean of it is taken over."""
    notes: tuple[str, ...] = ()
    """What was left out, one sentence each."""


def published_evidence() -> Evidence:
    """The paper's models: encoders by recipe, combinations of encoders, and the connector study."""
    recipes = [_published(f"recipe_scores.csv:{line}", one) for line, one in enumerate(recipe_models(), 2)]
    means = [
        _published(f"fig6_category_only.csv:{line}", one)
        for line, one in enumerate(category_only_models(), 2)
    ]
    return Evidence(
        source="published",
        scale="paper",
        models=(*recipes, *means, *_published_ensembles(), *_published_connectors()),
        benchmarks=benchmarks(),
    )


def own_evidence(frame: pd.DataFrame) -> Evidence:
    """The models behind evaluations of one scale (columns of results.Row)."""
    wanted = {
        category: tuple(sorted(set(frame.loc[frame["category"] == category, "benchmark"])))
        for category in CATEGORIES
    }
    axes = ["encoder", *DESIGN, "seed"]
    heads = frame[["run", *axes]].drop_duplicates("run")
    twice = heads[heads.duplicated(axes, keep=False)]
    notes = []
    if not twice.empty:
        names = ", ".join(sorted(set(twice["encoder"])))
        notes.append(
            f"{len(twice)} models share their axes with another and are left out ({names}): they differ in "
            "other settings or versions; choose among them with --runs"
        )
    kept = frame[~frame["run"].isin(list(twice["run"]))]
    models = [_own(str(run), rows, wanted) for run, rows in kept.groupby("run", sort=True)]
    partial = sorted(model.key for model in models if AVERAGE not in model.means)
    if partial:
        notes.append(
            f"{len(partial)} models lack benchmarks that others have, so no average of theirs is used: "
            f"{', '.join(key[:8] for key in partial)}"
        )
    return Evidence(
        source="own",
        scale=str(frame["scale"].iloc[0]) if len(frame) else UNSTATED,
        models=tuple(models),
        benchmarks=wanted,
        notes=tuple(notes),
    )


def with_average(means: Mapping[str, float]) -> dict[str, float]:
    """`means` of categories with their own mean, if all four are there."""
    if set(means) < set(CATEGORIES):
        return dict(means)
    return {**means, AVERAGE: mean([means[category] for category in CATEGORIES])}


def _own(run: str, rows: pd.DataFrame, wanted: Mapping[str, Sequence[str]]) -> Model:
    first = rows.iloc[0]
    levels = {
        str(name): Levels(score=float(score), blind=float(blind), chance=float(chance))
        for name, score, blind, chance in zip(
            rows["benchmark"], rows["score"], rows["blind"], rows["chance"], strict=True
        )
    }
    means = {
        category: mean([levels[name].score for name in names])
        for category, names in wanted.items()
        if names and levels.keys() >= set(names)
    }
    return Model(
        key=run,
        encoders=tuple(str(first["encoder"]).split("+")),
        supervision=str(first["supervision"]),
        design={axis: str(first[axis]) for axis in DESIGN},
        means=with_average(means),
        seed=int(first["seed"]),
        levels=levels,
        has_catalog_resolution=str(first["scale"]) != "lab",
    )


def _published(key: str, one: PublishedModel) -> Model:
    return Model(
        key=key,
        encoders=(NAMES[one.encoder],),
        supervision=one.supervision,
        design=_design(
            connector="concat", adapter=one.adapter, vision=one.vision, instruct=one.instruct.lower()
        ),
        means=with_average(one.means),
    )


def _published_ensembles() -> list[Model]:
    models = []
    for line, row in enumerate(ensemble_scores().to_dict(orient="records"), 2):
        encoders = tuple(ENSEMBLE_NAMES[name] for name in str(row["encoders"]).split("+"))
        models.append(
            Model(
                key=f"ensemble_scores.csv:{line}",
                encoders=encoders,
                supervision=_supervision(encoders),
                design=_design(connector="concat", adapter="1.2M", vision="frozen", instruct="737k"),
                means=with_average(scored(row)["means"]),
            )
        )
    return models


def _published_connectors() -> list[Model]:
    return [
        Model(
            key=f"connector_scores.csv:{line}",
            encoders=CONNECTOR_ENCODERS,
            supervision=_supervision(CONNECTOR_ENCODERS),
            design=_design(
                connector=str(row["connector"]).partition(" ")[0],
                adapter=UNSTATED,
                vision=UNSTATED,
                instruct=UNSTATED,
            ),
            means=with_average({category: float(row[category]) for category in CATEGORIES}),
        )
        for line, row in enumerate(connector_scores().to_dict(orient="records"), 2)
        if row["study"] == CONNECTOR_STUDY
    ]


def _supervision(encoders: Sequence[str]) -> str:
    found = {backbones()[name].supervision for name in encoders}
    return found.pop() if len(found) == 1 else "mixed"


def _design(**choices: str) -> dict[str, str]:
    return {**choices, "llm": "vicuna_7b"}
