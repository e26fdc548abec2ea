"""Every figure of published numbers, drawn once; what it shows follows from the paper's tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import (
    plot_fig3,
    plot_fig5,
    plot_fig6,
    plot_fig7,
    plot_fig10,
    plot_fig11,
    plot_fig15,
    plot_fig17,
)
from analysis.correlation import interval
from analysis.published import PAPER, benchmarks

FIGURES: dict[str, tuple[Callable[[list[str]], int], list[str]]] = {
    "fig3": (plot_fig3.main, []),
    "fig5": (plot_fig5.main, []),
    "fig6_ranks": (plot_fig6.main, ["--ranks"]),
    "fig7": (plot_fig7.main, []),
    "fig10": (plot_fig10.main, []),
    "fig11": (plot_fig11.main, []),
    "fig15": (plot_fig15.main, []),
    "fig17": (plot_fig17.main, []),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    for main, words in FIGURES.values():
        assert main(["--published", "--out", str(folder), *words]) == 0
    return folder


def rows_of(name: str) -> list[dict[str, str]]:
    with (PAPER / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def printed(model: str, instruct: str, vision: str) -> float:
    """The average that the paper prints for a ViT-L/14@336 at 1.2M."""
    (row,) = [
        row
        for row in rows_of("recipe_scores.csv")
        if (row["model"], row["architecture"]) == (model, "ViT-L/14@336")
        and (row["adapter_data"], row["instruction_data"], row["vision"]) == ("1.2M", instruct, vision)
    ]
    return float(row["average_printed"])


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_its_four_files(drawn: Path, name: str) -> None:
    assert (drawn / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    pdf, svg = (drawn / f"{name}.pdf").read_bytes(), (drawn / f"{name}.svg").read_text()
    assert pdf.startswith(b"%PDF")
    assert b"Type3" not in pdf
    assert b"CreationDate" not in pdf
    assert svg.startswith("<?xml")
    assert "<dc:date>" not in svg
    assert len(pd.read_csv(drawn / f"{name}.csv")) > 0


def test_fig3_means_are_over_all_encoders_and_nothing_is_invented(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig3.csv").set_index("benchmark")
    table = [row for row in rows_of("recipe_scores.csv") if row["adapter_data"] == "0M"]
    assert len(table) == 23
    docvqa = [float(row["docvqa"]) for row in table]
    assert points.loc["docvqa", "score"] == pytest.approx(sum(docvqa) / 23, abs=1e-7)
    assert points.loc["docvqa", "highest_model"] == max(docvqa)
    mme = [float(row["mme_p"]) / 20 for row in table]
    assert points.loc["mme_p", "score"] == pytest.approx(sum(mme) / 23, abs=1e-7)
    assert points[["blind", "chance", "difference"]].isna().all(axis=None)
    assert list(points["score"]) == sorted(points["score"], reverse=True)
    assert points.loc["seed_i", "size"] == 17990


def test_fig3_components_are_those_of_the_correlations(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig3.csv").set_index("benchmark")
    ids = [name for group in benchmarks().values() for name in group]
    scores = pd.DataFrame(rows_of("recipe_scores.csv"))[ids].astype("float64")
    places = points.loc[ids, ["component_1", "component_2"]].to_numpy()
    correlations = scores.corr().to_numpy()
    for which, share in ((0, 0.7237), (1, 0.0947)):
        value = (places[:, which] ** 2).sum()
        assert value / 16 == pytest.approx(share, abs=5e-5)
        assert correlations @ places[:, which] == pytest.approx(value * places[:, which], abs=1e-8)
    assert (places.sum(axis=0) > 0).all()


def test_fig5_has_every_model_of_the_four_recipes(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig5.csv")
    models = points.groupby("recipe")["encoder"].nunique().to_dict()
    assert models == {"0M frozen": 23, "0.5M frozen": 18, "1.2M frozen": 19, "1.2M unfrozen": 13}
    means = points.groupby(["encoder", "recipe"])["score"].mean()
    table = [row for row in rows_of("recipe_scores.csv") if row["instruction_data"] == "737K"]
    for row in table:
        key = (f"{row['model']} {row['architecture']}", f"{row['adapter_data']} {row['vision']}")
        assert means[key] == pytest.approx(float(row["average_printed"]), abs=0.06)
    assert len(means) == len(table) + 1  # DINOv2@518, of which only the means are public


def test_places_follow_the_printed_averages(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig6_ranks.csv")
    average = points[points["category"] == "average"].set_index("encoder")["place"]
    table = [
        (float(row["average_printed"]), f"{row['model']} {row['architecture']}")
        for row in rows_of("recipe_scores.csv")
        if (row["adapter_data"], row["instruction_data"], row["vision"]) == ("1.2M", "737K", "frozen")
    ]
    order = [name for _, name in sorted(table, reverse=True)]
    assert [name for name in average.index if name in order] == order
    assert average["DINOv2 ViT-L/14@518"] == 10
    for _, part in points.groupby("category"):
        assert sorted(part["place"]) == list(range(1, 20))
    assert points[["first", "last"]].isna().all(axis=None)
    lines = (drawn / "fig6_ranks.md").read_text().splitlines()
    assert len(lines) == 21
    assert lines[2] == "| SigLIP ViT-SO400M/14@384 | language | 1 | 1 | 2 | 1 | 1 |"


@pytest.mark.parametrize("vision", ["frozen", "unfrozen"])
@pytest.mark.parametrize("instruct", ["737K", "5M"])
def test_fig7_gaps_follow_the_printed_averages(drawn: Path, instruct: str, vision: str) -> None:
    points = pd.read_csv(drawn / "fig7.csv")
    here = points[
        (points["instruct"] == instruct.lower())
        & (points["vision"] == vision)
        & (points["category"] == "average")
    ].set_index("encoder")
    clip, dino = (printed(model, instruct, vision) for model in ("OpenAI CLIP", "DINOv2"))
    assert here["score"].to_dict() == pytest.approx({"clip": clip, "dinov2": dino}, abs=0.006)
    assert here["gap"].to_list() == pytest.approx([clip - dino] * 2, abs=0.011)


def test_fig10_totals_are_those_of_the_catalog(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig10.csv")
    assert len(points) == 65  # 68 printed sources, three of them parts of others
    last = points.iloc[-1]
    assert (last["source"], last["rows"]) == ("DVQA", 2325000)
    assert {name: int(last[name]) for name in ("t=150k", "t=250k", "t=350k", "t=450k", "allrows")} == {
        "t=150k": 3861500,
        "t=250k": 5012500,
        "t=350k": 5776500,
        "t=450k": 6426500,
        "allrows": 9745500,
    }
    assert plot_fig10.cumulate([5, 1, 9], 4).tolist() == [0, 1, 5, 9]


def test_fig11_averages_are_the_printed_ones(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig11.csv")
    average = points[points["category"] == "average"].set_index("mixture")
    wanted = {row["experiment"]: float(row["average_printed"]) for row in rows_of("data_ratio_scores.csv")}
    assert average["score"].to_dict() == pytest.approx(wanted, abs=0.06)
    assert average.loc["exp5", "share_general"] == 34.52
    # exp1, General: (1309.1 / 20 + 58.0 + 60.1 + 54.0) / 4
    general = points[(points["category"] == "general") & (points["mixture"] == "exp1")]["score"]
    assert general.item() == pytest.approx(59.38875, abs=1e-9)


def test_fig15_is_pearsons_correlation_over_all_models(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig15.csv")
    assert len(points) == 16 * 15 / 2
    ids = [name for group in benchmarks().values() for name in group]
    wanted = pd.DataFrame(rows_of("recipe_scores.csv"))[ids].astype("float64").corr()
    for row in points.itertuples():
        assert row.correlation == pytest.approx(wanted.loc[row.benchmark, row.other], abs=1e-9)
    assert (points["low"] < points["correlation"]).all()
    assert set(points["models"]) == {76}


def test_intervals_of_correlations_by_hand() -> None:
    z, half = 0.5 * math.log(3), 1.959964 / 5  # atanh(0.5), 28 models
    assert interval(0.5, 28) == pytest.approx((np.tanh(z - half), np.tanh(z + half)), abs=1e-12)
    assert interval(1.0, 28) == (1.0, 1.0)


def test_fig17_changes_and_their_means_by_hand(drawn: Path) -> None:
    points = pd.read_csv(drawn / "fig17.csv")
    cell = points.set_index(["row", "benchmark", "category"])["percent_change"]
    table = {
        (row["model"], row["architecture"], row["instruction_data"], row["vision"]): row
        for row in rows_of("recipe_scores.csv")
        if row["adapter_data"] == "1.2M"
    }
    pairs = {key[:3]: row for key, row in table.items() if key[3] == "unfrozen"}
    assert len(pairs) == 15
    changes = {
        pair: {
            name: 100 * (float(row[name]) / float(table[*pair, "frozen"][name]) - 1)
            for group in benchmarks().values()
            for name in group
        }
        for pair, row in pairs.items()
    }
    clip = changes["OpenAI CLIP", "ViT-L/14@336", "737K"]
    assert cell["OpenAI CLIP ViT-L/14@336", "chartqa", "ocr_chart"] == pytest.approx(
        clip["chartqa"], abs=1e-7
    )
    ocr = [clip[name] for name in benchmarks()["ocr_chart"]]
    assert cell["OpenAI CLIP ViT-L/14@336", "mean", "ocr_chart"] == pytest.approx(sum(ocr) / 4, abs=1e-7)
    mmvp = [each["mmvp"] for each in changes.values()]
    assert cell["all (15)", "mmvp", "vision_centric"] == pytest.approx(sum(mmvp) / 15, abs=1e-7)
    every = [value for each in changes.values() for value in each.values()]
    assert cell["all (15)", "mean", "all"] == pytest.approx(sum(every) / 240, abs=1e-7)
    dino = changes["DINOv2", "ViT-L/14@336", "5M"]
    assert cell["DINOv2 ViT-L/14@336 5m", "ocrbench", "ocr_chart"] == pytest.approx(
        dino["ocrbench"], abs=1e-7
    )
    assert points[["low", "high"]].isna().all(axis=None)
