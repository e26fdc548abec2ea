"""Own orders of encoders beside the paper's: coefficients, intervals, refusals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
from fake_store import LAB, SUPERVISION, fill, manifest, put

from analysis.published import NAMES, POINTS_PER, PublishedModel, benchmarks, figure6_models
from analysis.rank_agreement import main
from analysis.ranking import Coefficient, Comparison, compare
from analysis.results import ROOT, read_results

FIVE = ("siglip", "clip", "dinov2", "mae", "sam_h")
SIX = {**SUPERVISION, "sam_h": "other", "dinov2_518": "self"}
PAPER: Mapping[str, PublishedModel] = {NAMES[model.encoder]: model for model in figure6_models()}


@pytest.fixture(autouse=True)
def supervisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fake_store.SUPERVISION", SIX)


def lab(store: Path, encoder: str, scored: Callable[[float], float], **axes: object) -> None:
    """A run of the lab: in every category, what `scored` makes of the paper's mean."""
    for benchmark, category in LAB.items():
        score = scored(PAPER[encoder].means[category])
        metrics = {"score": score, "low": score - 5, "high": score + 5}
        put(store, manifest((encoder,), benchmark, category, axes=axes, metrics=metrics))


def mini(store: Path, encoder: str, **axes: object) -> None:
    """A run at scale=mini with the paper's own scores."""
    for category, ids in benchmarks().items():
        for benchmark in ids:
            score = PAPER[encoder].scores[benchmark] * POINTS_PER.get(benchmark, 1.0)
            design = {"scale": "mini", "llm": "qwen2_5_0_5b", **axes}
            metrics = {"score": score, "low": score, "high": score}
            put(store, manifest((encoder,), benchmark, category, axes=design, metrics=metrics))


def only(store: Path) -> Comparison:
    (found,) = compare(read_results(store).frame)
    return found


@pytest.mark.parametrize(("scored", "sign"), [(lambda x: x, 1.0), (lambda x: 100 - x, -1.0)])
def test_the_papers_order_and_its_opposite(
    tmp_path: Path, scored: Callable[[float], float], sign: float
) -> None:
    for encoder in FIVE:
        lab(tmp_path, encoder, scored)
    found = only(tmp_path)
    assert [one.category for one in found.agreements] == [*benchmarks(), "average"]
    exact = pytest.approx(sign)
    for one in found.agreements:
        assert set(one.encoders) == set(FIVE)
        for coefficient in (one.spearman, one.kendall):
            assert coefficient is not None
            assert (coefficient.value, coefficient.low, coefficient.high) == (exact, exact, exact)
    best = found.agreements[-1]
    assert (best.encoders == best.published) == (sign > 0)
    assert best.published[0] == "siglip"


def test_one_exchange_of_neighbours_among_five(tmp_path: Path) -> None:
    order = sorted(FIVE, key=lambda name: PAPER[name].means["general"])
    order[0], order[1] = order[1], order[0]
    for place, encoder in enumerate(order):
        fill(tmp_path, (encoder,), score=20.0 + 5 * place)
    general = only(tmp_path).agreements[0]
    assert general.spearman is not None and general.kendall is not None
    assert general.spearman.value == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert general.kendall.value == pytest.approx(0.8)
    for one in (general.spearman, general.kendall):
        assert -1 <= one.low < one.value < one.high <= 1
    assert only(tmp_path).agreements[0] == general, "the draws are the same every time"


def test_benchmarks_of_the_paper_are_drawn_with_its_own(tmp_path: Path) -> None:
    """Equal scores stay equal whatever is drawn, where drawing on one side alone would exchange encoders."""
    for encoder in FIVE:
        mini(tmp_path, encoder)
    one = pytest.approx(1.0)
    for agreement in only(tmp_path).agreements:
        assert agreement.spearman is not None
        assert (agreement.spearman.value, agreement.spearman.low) == (one, one)


def test_a_benchmark_of_the_papers_alone_is_compared_with_that_benchmark(tmp_path: Path) -> None:
    for encoder in (*FIVE, "dinov2_518"):
        for benchmark, category in (("gqa", "general"), ("seed_i", "general")):
            score = PAPER[encoder].scores.get(benchmark, 50.0)
            axes = {"scale": "mini"}
            metrics = {"score": score, "low": score, "high": score}
            put(tmp_path, manifest((encoder,), benchmark, category, axes=axes, metrics=metrics))
    found = only(tmp_path)
    general = found.agreements[0].spearman
    assert general is not None and general.value == pytest.approx(1.0)
    assert "General: dinov2_518 is left out, the paper has its mean alone" in found.notes
    assert found.agreements[-1].encoders == ()


def test_three_encoders_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for encoder in FIVE[:3]:
        lab(tmp_path, encoder, lambda score: score)
    assert all(one.spearman is None and one.kendall is None for one in only(tmp_path).agreements)
    assert main(["--store", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("too few encoders: 4 are needed") == 5
    assert "+1.00" not in printed
    lab(tmp_path, FIVE[3], lambda score: score)
    assert main(["--store", str(tmp_path)]) == 0
    assert "+1.00 [+1.00, +1.00]" in capsys.readouterr().out


def test_controls_and_ensembles_have_no_counterpart(tmp_path: Path) -> None:
    for encoder in FIVE:
        lab(tmp_path, encoder, lambda score: score)
    for names in (("random",), ("pixels",), ("clip", "siglip")):
        fill(tmp_path, names)
    found = only(tmp_path)
    assert len(found.agreements[-1].encoders) == 5
    assert found.notes == ("the paper has no scores of clip+siglip, pixels, random for this recipe",)


def test_who_lacks_a_benchmark_is_left_out_of_its_category(tmp_path: Path) -> None:
    for encoder in FIVE:
        lab(tmp_path, encoder, lambda score: score)
    missing = (
        read_results(tmp_path).frame.query("encoder == 'mae' and benchmark == 'charts'")["digest"].iloc[0]
    )
    (tmp_path / "evaluate" / str(missing) / "manifest.json").unlink()
    (tmp_path / "evaluate" / str(missing)).rmdir()
    found = only(tmp_path)
    sizes = {one.category: len(one.encoders) for one in found.agreements}
    assert sizes == {"general": 5, "knowledge": 5, "ocr_chart": 4, "vision_centric": 5, "average": 4}
    assert found.notes == ("OCR & Chart: mae is left out, not evaluated on charts",)


def test_seeds_are_averaged_and_drawn(tmp_path: Path) -> None:
    for encoder in FIVE:
        lab(tmp_path, encoder, lambda score: score + 4, seed=0)
        lab(tmp_path, encoder, lambda score: score - 4, seed=1)
    average = only(tmp_path).agreements[-1].spearman
    assert average is not None
    assert average.value == pytest.approx(1.0)
    assert average.low < 1.0


def test_two_models_with_the_same_axes_are_left_out(tmp_path: Path) -> None:
    for encoder in FIVE:
        lab(tmp_path, encoder, lambda score: score)
    put(tmp_path, manifest(("clip",), model="f" * 64, created="2026-01-03T00:00:00+00:00"))
    found = only(tmp_path)
    assert "clip" not in found.agreements[-1].encoders
    assert any(note.startswith("several models with the same axes, left out: clip;") for note in found.notes)


def test_each_design_is_compared_with_the_papers_rows_for_it(tmp_path: Path) -> None:
    for encoder in FIVE:
        for axes in ({"adapter": "0M"}, {"vision": "unfrozen"}, {"vision": "unfrozen", "vision_blocks": 4}):
            fill(tmp_path, (encoder,), score=PAPER[encoder].means["general"] / 2, axes=axes)
    found = compare(read_results(tmp_path).frame)
    assert [(each.design["adapter"], each.design["vision"]) for each in found] == [
        ("0M", "frozen"),
        ("1.2M", "unfrozen"),
    ]
    # The paper has no unfrozen SAM; and nobody unfroze four blocks.
    assert [len(each.agreements[-1].encoders) for each in found] == [5, 4]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for encoder in FIVE:
        lab(tmp_path, encoder, lambda score: score)
        mini(tmp_path, encoder)
    store = ["--store", str(tmp_path)]
    assert main(store) == 2
    assert "results of different scales (lab, mini) share no axis" in capsys.readouterr().err
    assert main([*store, "--scale", "mini", "--csv", str(tmp_path / "ranks.csv")]) == 0
    printed = capsys.readouterr().out
    assert "scale mini is not the paper's: only orders are compared, never scores" in printed
    assert "llm qwen2_5_0_5b" in printed
    table = pd.read_csv(tmp_path / "ranks.csv")
    assert list(table["category"]) == [*benchmarks(), "average"]
    assert set(table["scale"]) == {"mini"} and set(table["encoders"]) == {5}
    assert table["spearman"].tolist() == pytest.approx([1.0] * 5)
    assert table["own_order"].iloc[-1] == table["published_order"].iloc[-1]


def test_nothing_to_compare_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",), axes={"adapter": "2.5M"})
    assert main(["--store", str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip() == "the paper has no scores for 2.5M frozen 737k"
    assert main(["--store", str(tmp_path / "none")]) == 2


def test_as_a_script(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "analysis" / "rank_agreement.py"), "--store", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=500)
    assert result.returncode == 2 and "no results in" in result.stderr


def test_a_coefficient_that_there_is_not() -> None:
    assert str(Coefficient(value=float("nan"), low=0.0, high=0.0)) == "- (all equal)"
    assert str(Coefficient(value=0.5, low=-0.25, high=1.0)) == "+0.50 [-0.25, +1.00]"
