"""The paper's tables besides that of recipes: combinations, connectors, data, final models, leaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.published import PAPER, PublishedModel, benchmarks, data_model, to_points
from analysis.statistics import mean


@dataclass(frozen=True, kw_only=True)
class FinalModel:
    """One model of the paper's last table."""

    name: str
    llm: str
    visual_tokens: int | None
    scores: Mapping[str, float]
    """Benchmark -> score, 0 to 100; those that are printed."""
    means: Mapping[str, float]
    """Category -> mean, where all its four benchmarks are printed."""


def ensemble_scores() -> pd.DataFrame:
    """The seven combinations of encoders: `encoders`, joined by `+`, then the benchmarks."""
    return pd.read_csv(PAPER / "ensemble_scores.csv")


def connector_scores() -> pd.DataFrame:
    """Two studies of connectors: `study`, `connector`, then the means of the categories."""
    return pd.read_csv(PAPER / "connector_scores.csv")


def sva_ablation() -> pd.DataFrame:
    """One row per `knob` and `value`, with the mean of OCR & Chart."""
    return pd.read_csv(PAPER / "sva_ablation.csv", dtype={"knob": "str", "value": "str"})


def mix_scores() -> pd.DataFrame:
    """Three mixtures of instruction data, `mix`, with the means that are printed."""
    return pd.read_csv(PAPER / "data_mix_scores.csv")


def leaked_images() -> pd.DataFrame:
    """Test images of each benchmark that are in training sets: counts, one column per set."""
    return pd.read_csv(PAPER / "leakage.csv")


def attention_shares() -> pd.DataFrame:
    """Share of SVA's attention by `encoder`, in per cent, one column per benchmark."""
    return pd.read_csv(PAPER / "sva_attention_share.csv")


def balance_models() -> list[PublishedModel]:
    """The models of the data balance study: instruction data balance_150k to balance_450k."""
    rows = pd.read_csv(PAPER / "data_balance_scores.csv").to_dict(orient="records")
    return [data_model(f"balance_{row['threshold']}", row) for row in rows]


def final_models() -> list[FinalModel]:
    """Cambrian-1 and the models beside it, as far as their scores are printed."""
    models = []
    for row in pd.read_csv(PAPER / "sota_scores.csv").to_dict(orient="records"):
        there = [name for ids in benchmarks().values() for name in ids if pd.notna(row[name])]
        scores = {name: to_points(name, float(row[name])) for name in there}
        tokens = row["visual_tokens"]
        models.append(
            FinalModel(
                name=str(row["model"]),
                llm=str(row["llm"]),
                visual_tokens=int(tokens) if pd.notna(tokens) else None,
                scores=scores,
                means={
                    category: mean([scores[name] for name in ids])
                    for category, ids in benchmarks().items()
                    if scores.keys() >= set(ids)
                },
            )
        )
    return models
