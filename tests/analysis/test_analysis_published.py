"""The published numbers: what is read, and the means that follow."""

from __future__ import annotations

import csv

import pytest

from analysis.published import PAPER, benchmarks, figure6_models, recipe_models, recipe_scores


def test_figure6_has_the_nineteen_encoders() -> None:
    models = figure6_models()
    assert len(models) == 19
    assert len({model.encoder for model in models}) == 19
    counts = {
        name: sum(model.supervision == name for model in models) for name in ("language", "self", "other")
    }
    assert counts == {"language": 9, "self": 6, "other": 4}


@pytest.mark.parametrize(
    ("encoder", "general", "knowledge", "ocr_chart", "vision_centric"),
    [
        # (1476.65 / 20 + 61.96 + 65.45 + 62.78) / 4 and so on, by hand from the table
        ("OpenAI CLIP ViT-L/14@336", 66.005625, 48.125, 39.765, 48.075),
        ("MAE ViT-L/16@224", 53.2825, 46.4775, 19.3725, 42.425),
        ("SAM ViT-H/16@1024", 33.485125, 44.7775, 17.23, 34.6725),
        ("DINOv2 ViT-L/14@518", 61.477125, 46.5625, 19.6375, 48.43205875),
    ],
)
def test_category_means(
    encoder: str, general: float, knowledge: float, ocr_chart: float, vision_centric: float
) -> None:
    (means,) = [model.means for model in figure6_models() if model.encoder == encoder]
    assert list(means) == ["general", "knowledge", "ocr_chart", "vision_centric"]
    assert list(means.values()) == pytest.approx([general, knowledge, ocr_chart, vision_centric], abs=1e-9)


def test_mean_of_the_categories_is_the_printed_average() -> None:
    with (PAPER / "recipe_scores.csv").open() as lines:
        printed = [float(row["average_printed"]) for row in csv.DictReader(lines)]
    models = recipe_models()
    assert len(models) == len(printed) == 76
    assert [sum(model.means.values()) / 4 for model in models] == pytest.approx(printed, abs=0.06)


def test_every_category_has_four_benchmarks() -> None:
    assert {name: len(ids) for name, ids in benchmarks().items()} == dict.fromkeys(benchmarks(), 4)
    scores = recipe_scores()
    assert (scores["mme_p"] > 100).all()
    assert scores.notna().all(axis=None)
