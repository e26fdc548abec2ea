"""The paper's numbers, as its tables print them, and the categories that they are averaged in."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis.statistics import mean

PAPER = Path(__file__).resolve().parent / "paper"

CATEGORIES: Mapping[str, str] = {
    "general": "General",
    "knowledge": "Knowledge",
    "ocr_chart": "OCR & Chart",
    "vision_centric": "Vision-Centric",
}
"""Category -> how figures and tables call it, in the order of Figure 6."""
AVERAGE = "average"
"""Of the four categories, with equal weights."""

NAMES: Mapping[str, str] = {
    "OpenAI CLIP ViT-L/14@336": "clip",
    "DFN-CLIP ViT-L/14@224": "dfn_clip_l",
    "DFN-CLIP ViT-H/14@378": "dfn_clip_h",
    "EVA-CLIP-02 ViT-L/14@336": "eva_clip",
    "SigLIP ViT-L/16@384": "siglip_l",
    "SigLIP ViT-SO400M/14@384": "siglip",
    "OpenCLIP ConvNeXt-L@512": "convnext_l_512",
    "OpenCLIP ConvNeXt-L@1024": "convnext_l",
    "OpenCLIP ConvNeXt-XXL@1024": "convnext",
    "DINOv2 ViT-L/14@336": "dinov2",
    "DINOv2 ViT-L/14@518": "dinov2_518",
    "MoCo v3 ViT-B/16@224": "moco_v3_b",
    "MoCo v3 ViT-L/16@224": "moco_v3_l",
    "MAE ViT-L/16@224": "mae",
    "MAE ViT-H/14@224": "mae_h",
    "I-JEPA ViT-H/14@224": "ijepa",
    "SAM ViT-L/16@1024": "sam",
    "SAM ViT-H/16@1024": "sam_h",
    "MiDaS 3.0 ViT-L/16@384": "midas",
    "MiDaS 3.1 ViT-L/16@518": "midas_518",
    "Diffusion SD2.1/16@512": "diffusion",
    "SupViT ViT-L/16@224": "supvit_l",
    "SupViT ViT-H/14@224": "supvit_h",
}
"""The paper's encoders, model and architecture -> name in results."""

POINTS_PER: Mapping[str, float] = {"mme_p": 20.0}
"""Benchmarks that are not scored from 0 to 100 -> what a score is divided by before averaging."""


def to_points(benchmark: str, score: float) -> float:
    """`score` of `benchmark` on the scale from 0 to 100 that averages are taken on."""
    return score / POINTS_PER[benchmark] if benchmark in POINTS_PER else score


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One model of the paper with the means of its four categories."""

    model: str
    architecture: str
    """Such as `ViT-L/14@336`: size, patch, resolution."""
    supervision: str
    """language, self or other."""
    adapter: str
    vision: str
    instruct: str
    means: Mapping[str, float]
    """Category -> mean of its four benchmarks, 0 to 100."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Benchmark -> score, 0 to 100; empty where only the means are public."""

    @property
    def encoder(self) -> str:
        """Model and architecture: what tells the paper's encoders apart."""
        return f"{self.model} {self.architecture}"


def benchmarks() -> dict[str, tuple[str, ...]]:
    """Category -> its four benchmarks, from the paper's list."""
    table = pd.read_csv(PAPER / "benchmarks.csv")
    rows = list(zip(table["id"], table["category"], strict=True))
    return {category: tuple(str(b) for b, c in rows if c == category) for category in CATEGORIES}


def benchmark_names() -> dict[str, str]:
    """Benchmark -> how the paper calls it."""
    table = pd.read_csv(PAPER / "benchmarks.csv", dtype="str")
    return dict(zip(table["id"], table["display"], strict=True))


def benchmark_titles(benchmarks: Iterable[str], partial: Collection[str] = ()) -> list[str]:
    """What figures call `benchmarks`: as the paper does, others by their name without the lab's prefix.

    Of those in `partial` not every question was asked, and it stands there.
    """
    names = benchmark_names()
    titles = [(each, names.get(each, each.removeprefix("lab_").replace("_", " "))) for each in benchmarks]
    return [f"{title} (partial)" if each in partial else title for each, title in titles]


def benchmark_images() -> dict[str, int]:
    """Benchmark -> its number of test images."""
    table = pd.read_csv(PAPER / "benchmarks.csv")
    return {str(name): int(count) for name, count in zip(table["id"], table["n_images"], strict=True)}


def recipe_scores() -> pd.DataFrame:
    """The 76 models with 16 scores each: text columns first, then one float column per benchmark."""
    texts = ["model", "architecture", "supervision", "adapter_data", "instruction_data", "vision"]
    ids = [benchmark for group in benchmarks().values() for benchmark in group]
    types = {**dict.fromkeys(texts, "str"), **dict.fromkeys(ids, "float64")}
    return pd.read_csv(PAPER / "recipe_scores.csv", dtype=types)[texts + ids]


def ratio_scores() -> pd.DataFrame:
    """The five mixtures of the data ratio study: `experiment` (exp1 to exp5), then the benchmarks."""
    ids = [benchmark for group in benchmarks().values() for benchmark in group]
    types = {"experiment": "str", **dict.fromkeys(ids, "float64")}
    return pd.read_csv(PAPER / "data_ratio_scores.csv", dtype=types)[["experiment", *ids]]


def mixture_ratios() -> pd.DataFrame:
    """Shares in per cent: one row per experiment (exp1 to exp5), one column per category of data."""
    table = pd.read_csv(PAPER / "data_ratios.csv", index_col="experiment")
    return table.rename(index=lambda name: str(name).split()[0])


def balance_rows() -> dict[int, int]:
    """Threshold t of the data balance study -> rows of its mixture, as the paper's table prints them."""
    table = pd.read_csv(PAPER / "data_balance_scores.csv", dtype="str")
    return {
        _thousands(t): _thousands(rows) for t, rows in zip(table["threshold"], table["n_data"], strict=True)
    }


def _thousands(text: str) -> int:
    """The number behind a text such as `150k`."""
    return 1000 * int(text.removesuffix("k"))


def data_sources() -> pd.DataFrame:
    """Sources of Cambrian-10M: `category`, `source`, `rows`.

    The paper lists what filtering took out of a source as "Filtered SOURCE"; here it is part of its source.
    """
    table = pd.read_csv(PAPER / "data_sources.csv")
    table["source"] = table["source"].str.removeprefix("Filtered ")
    table["rows"] = (1000 * table["thousands"]).round().astype("int64")
    return table.groupby(["category", "source"], sort=False)[["rows"]].sum().reset_index()


def recipe_models() -> list[PublishedModel]:
    """The 76 models, with MME Perception divided by 20 before it is averaged."""
    return [
        PublishedModel(
            model=str(row["model"]),
            architecture=str(row["architecture"]),
            supervision=str(row["supervision"]),
            adapter=str(row["adapter_data"]),
            vision=str(row["vision"]),
            instruct=str(row["instruction_data"]),
            **scored(row),
        )
        for row in recipe_scores().to_dict(orient="records")
    ]


def ratio_models() -> list[PublishedModel]:
    """The models of the data ratio study: instruction data ratio_exp1 to ratio_exp5."""
    rows = ratio_scores().to_dict(orient="records")
    return [data_model(f"ratio_{row['experiment']}", row) for row in rows]


def data_model(instruct: str, row: Mapping[Hashable, object]) -> PublishedModel:
    """What all models of the studies of instruction data share: CLIP, frozen, and no adapter data."""
    return PublishedModel(
        model="OpenAI CLIP",
        architecture="ViT-L/14@336",
        supervision="language",
        adapter="0M",
        vision="frozen",
        instruct=instruct,
        **scored(row),
    )


def scored(row: Mapping[Hashable, object]) -> dict[str, dict[str, float]]:
    """Scores and category means of a row with one column per benchmark."""
    groups = benchmarks()
    scores = {name: to_points(name, float(str(row[name]))) for ids in groups.values() for name in ids}
    means = {category: mean([scores[name] for name in ids]) for category, ids in groups.items()}
    return {"means": means, "scores": scores}


def category_only_models() -> list[PublishedModel]:
    """Models of Figure 6 of which only the four category means are public."""
    return [
        PublishedModel(
            model=str(row["model"]),
            architecture=str(row["architecture"]),
            supervision=str(row["supervision"]),
            adapter=str(row["adapter_data"]),
            vision=str(row["vision"]),
            instruct="737K",
            means={category: float(row[category]) for category in CATEGORIES},
        )
        for row in pd.read_csv(PAPER / "fig6_category_only.csv").to_dict(orient="records")
    ]


def figure6_models() -> list[PublishedModel]:
    """The 19 encoders of Figure 6: 1.2M adapter data, frozen vision, 737K instruction data."""
    recipe = ("1.2M", "frozen", "737K")
    models = recipe_models() + category_only_models()
    return [model for model in models if (model.adapter, model.vision, model.instruct) == recipe]
