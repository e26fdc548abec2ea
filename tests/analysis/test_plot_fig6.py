"""Figure 6 from the command line: its points, its refusals, its bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_store import LAB, answer, fill, manifest, put

from analysis import table
from analysis.command import read_credits
from analysis.designs import designs_of
from analysis.drawing import Drawing, draw
from analysis.lines import own_lines
from analysis.plot_fig6 import main
from analysis.power import noise_floor
from analysis.published import benchmarks, figure6_models
from analysis.results import ROOT, read_results
from analysis.style import LOOKS, spread

SCHEMA = ["encoder", "supervision", "category", "score", "low", "high", "source"]
FILES = ("fig6.png", "fig6.pdf", "fig6.svg", "fig6.csv")


def test_published_has_nineteen_lines_of_category_means(tmp_path: Path) -> None:
    assert main(["--published", "--out", str(tmp_path)]) == 0
    points = pd.read_csv(tmp_path / "fig6.csv")
    assert list(points.columns)[:7] == SCHEMA
    assert len(points) == 76
    assert set(points["source"]) == {"published"}
    for model in figure6_models():
        line = points[points["encoder"] == model.encoder].set_index("category")["score"]
        assert line.to_dict() == pytest.approx(dict(model.means), rel=1e-9)
    assert (tmp_path / "fig6.png").read_bytes().startswith(b"\x89PNG")
    assert b"Type3" not in (tmp_path / "fig6.pdf").read_bytes()


def test_own_results_with_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    fill(tmp_path, ("pixels",), score=40.0)
    assert main(["--store", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    points = pd.read_csv(tmp_path / "out" / "fig6.csv")
    assert list(points.columns)[:7] == SCHEMA
    assert len(points) == 8
    assert set(points["source"]) == {"own"}
    assert set(points["scale"]) == {"lab"}
    assert (points["low"] < points["score"]).all()
    assert (points["score"] < points["high"]).all()
    printed = capsys.readouterr().out
    assert printed.startswith("Lab result")
    assert str(tmp_path / "out" / "fig6.png") in printed
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)


def test_runs_leaves_those_that_a_file_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    fill(tmp_path, ("pixels",))
    runs = read_results(tmp_path).frame.set_index("encoder")["run"]
    (tmp_path / "runs.txt").write_text(f"{runs['pixels'].iloc[0]}\n{'f' * 64}\n")
    words = ["--store", str(tmp_path), "--out", str(tmp_path / "out"), "--runs"]
    assert main([*words, str(tmp_path / "runs.txt")]) == 0
    assert set(pd.read_csv(tmp_path / "out" / "fig6.csv")["encoder"]) == {"pixels"}
    (tmp_path / "runs.txt").write_text(f"{'f' * 64}\n")
    assert main([*words, str(tmp_path / "runs.txt")]) == 2
    assert main([*words, str(tmp_path / "absent.txt")]) == 2
    said = capsys.readouterr().err
    assert f"none of the 1 models in {tmp_path / 'runs.txt'} has a result" in said
    assert f"cannot read --runs {tmp_path / 'absent.txt'}: No such file or directory" in said


def test_a_gap_stays_a_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    for benchmark, category in LAB.items():
        if category != "vision_centric":
            put(tmp_path, manifest(("mae",), benchmark, category))
    assert main(["--store", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    points = pd.read_csv(tmp_path / "out" / "fig6.csv")
    assert list(points.loc[points["score"].isna(), "encoder"]) == ["mae"]
    assert (
        "mae: seed 0 left out of Vision-Centric: not evaluated on counting, depth" in capsys.readouterr().err
    )


def test_both_refuses_lab_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    assert main(["--both", "--store", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "--both is for results at scale=paper, and these have scale=lab" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_both_draws_paper_scale_results_over_the_published(tmp_path: Path) -> None:
    for category, ids in benchmarks().items():
        for benchmark in ids:
            put(tmp_path, manifest(("siglip",), benchmark, category, axes={"scale": "paper"}))
    fill(tmp_path, ("mae",))
    arguments = ["--both", "--store", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert main([*arguments, "--only", "scale=paper"]) == 0
    points = pd.read_csv(tmp_path / "out" / "fig6.csv")
    assert points["source"].value_counts().to_dict() == {"published": 76, "own": 4}


def test_scales_share_no_axis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    fill(tmp_path, ("siglip",), axes={"scale": "mini"})
    assert main(["--store", str(tmp_path)]) == 2
    assert "--only scale=lab" in capsys.readouterr().err


def test_an_empty_store_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert f"no results in {tmp_path / 'none'}" in message
    assert "python run.py -m encoder=siglip,dinov2 connector=sva" in message
    assert list(tmp_path.iterdir()) == []


def test_corrupt_manifests_are_counted_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    place = tmp_path / "evaluate" / "broken"
    place.mkdir()
    (place / "manifest.json").write_text("{")
    assert table.main(["--store", str(tmp_path)]) == 0
    message = capsys.readouterr().err
    assert "1 evaluation could not be read" in message
    assert str(place) in message


def test_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    """Here, and as a script from another directory, with another hash seed, by way of $CAMBRIAN_STORE."""
    store, here, there = tmp_path / "store", tmp_path / "here", tmp_path / "there"
    fill(store, ("siglip",))
    fill(store, ("dinov2",), score=45.0)
    assert main(["--store", str(store), "--out", str(here)]) == 0
    environment = {**os.environ, "PYTHONHASHSEED": "7", "CAMBRIAN_STORE": str(store)}
    command = [sys.executable, str(ROOT / "analysis" / "plot_fig6.py"), "--out", str(there)]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    for name in FILES:
        assert (here / name).read_bytes() == (there / name).read_bytes()
    assert b"CreationDate" not in (here / "fig6.pdf").read_bytes()


def test_only_the_best_are_named_when_not_all_labels_fit(tmp_path: Path) -> None:
    for step, adapter in enumerate(("0M", "0.5M", "1.2M", "2.5M")):
        for connector in ("concat", "sva"):
            for encoder in ("siglip", "dinov2", "random"):
                axes = {"adapter": adapter, "connector": connector}
                fill(tmp_path, (encoder,), score=30.0 + 5 * step + (connector == "sva"), axes=axes)
    lines = own_lines(read_results(tmp_path).frame).lines
    assert len(lines) == 24
    figure = draw(Drawing(lines=lines, title="title", subtitle="", ticks=("a", "b", "c", "d")))
    names = {text.get_text() for text in figure.axes[0].texts} & {line.label for line in lines}
    assert names == {"siglip sva 2.5M", "dinov2 sva 2.5M", "random sva 2.5M"}


def test_supervisions_differ_without_colour() -> None:
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.dashes for look in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize(
    ("heights", "placed"),
    [
        ([10.0, 50.0], [10.0, 50.0]),
        ([50.0, 50.0], [49.0, 51.0]),
        ([51.0, 50.0, 50.0], [52.333333, 48.333333, 50.333333]),
        ([99.5, 100.0], [98.0, 100.0]),
        ([0.0, 0.0], [0.0, 2.0]),
    ],
)
def test_labels_keep_their_distance(heights: list[float], placed: list[float]) -> None:
    assert spread(heights, 2.0, 0.0, 100.0) == pytest.approx(placed, abs=1e-5)


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    fill(tmp_path, ("random",), score=40.0)
    assert table.main(["--store", str(tmp_path), "--csv", str(tmp_path / "table.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=3)[:3] == ["supervision", "seeds", "General"]
    assert lines[1].startswith("siglip  language     0      51.0 [46.8, 54.5] blind 28.5  55.0 [50.8, 58.5]")
    assert lines[2].startswith("random  control ")
    assert lines[3].split() == ["chance", "25.0", "25.0", "25.0", "25.0"]
    assert list(pd.read_csv(tmp_path / "table.csv").columns)[:7] == SCHEMA


def _part(store: Path, **counts: float) -> None:
    """One whole run of siglip, and one of mae with `counts` in a single evaluation."""
    fill(store, ("siglip",))
    for benchmark, category in LAB.items():
        metrics = counts if benchmark == "depth" else {}
        put(store, manifest(("mae",), benchmark, category, metrics=metrics))


def test_a_part_of_a_benchmark_never_looks_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _part(tmp_path, n=4, total=2114, unanswered=1)
    assert main(["--store", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "note: partial: depth: 4 of 2,114 questions" in said.err
    assert "note: depth: 1 questions without a picture count as wrong" in said.err
    assert "mae (partial)" in said.out
    assert "siglip (partial)" not in said.out
    points = pd.read_csv(tmp_path / "out" / "fig6.csv").set_index(["encoder", "category"])["partial"]
    assert points["mae", "vision_centric"] == "depth: 4 of 2,114 questions"
    assert points.isna().sum() == 7
    assert table.main(["--store", str(tmp_path)]) == 0
    assert "mae (partial)" in capsys.readouterr().out


def test_a_partial_point_is_hollow(tmp_path: Path) -> None:
    _part(tmp_path, n=4, total=2114)
    lines = own_lines(read_results(tmp_path).frame).lines
    axes = draw(Drawing(lines=lines, title="t", subtitle="s", ticks=("a", "b", "c", "d"))).axes[0]
    hollow = [drawn for drawn in axes.lines if drawn.get_markerfacecolor() == "white"]
    assert [list(np.atleast_1d(np.asarray(one.get_ydata()))) for one in hollow] == [[50.0]]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][-1] == "partial"


def test_both_refuses_a_part_of_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for category, ids in benchmarks().items():
        for name in ids:
            metrics = {"total": 300, "unanswered": 0} if name == "mmvp" else {}
            put(tmp_path, manifest(("siglip",), name, category, axes={"scale": "paper"}, metrics=metrics))
    assert main(["--store", str(tmp_path), "--both", "--out", str(tmp_path / "out")]) == 2
    assert "  - mmvp: 240 of 300 questions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_vision_gain_is_score_minus_blind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, ("siglip",))
    assert table.main(["--store", str(tmp_path), "--csv", str(tmp_path / "points.csv")]) == 0
    # Scores are 50 to 64 in steps of 2 and blind 28 to 35 in steps of 1, two benchmarks to a category.
    points = pd.read_csv(tmp_path / "points.csv")
    assert list(points["vision_gain"]) == [22.5, 24.5, 26.5, 28.5]
    assert list(points["score"] - points["blind"]) == [22.5, 24.5, 26.5, 28.5]
    head, siglip, *_ = capsys.readouterr().out.splitlines()
    assert head.endswith("vision gain")
    assert siglip.endswith("+25.5")


def test_the_noise_below_the_best_is_that_of_equal_designs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, encoder in enumerate(("siglip", "dinov2")):
        for place, (benchmark, category) in enumerate(LAB.items()):
            right = np.random.default_rng([number, place]).uniform(size=100) < 0.6
            answer(tmp_path, (encoder,), benchmark, right.astype(float), category=category)
    assert main(["--noise", "--store", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    points = pd.read_csv(tmp_path / "out" / "fig6.csv").set_index("category")["noise_floor"]
    frame, credits = read_credits(str(tmp_path), [])
    floors = (
        noise_floor(credits, designs_of(frame)).query("level == 'category'").set_index("name")["noise_floor"]
    )
    for category, floor in floors.items():
        assert points[category].tolist() == pytest.approx([floor, floor])
        assert 1 < floor < 20
    plain = tmp_path / "plain"
    assert main(["--store", str(tmp_path), "--out", str(plain)]) == 0
    assert "noise_floor" not in pd.read_csv(plain / "fig6.csv").columns
    svg = [(folder / "fig6.svg").read_text().lower() for folder in (tmp_path / "out", plain)]
    assert ["#f0e442" in text for text in svg] == [True, False]
    with pytest.raises(SystemExit):
        main(["--noise", "--published"])
    assert "--noise is known of own scores" in capsys.readouterr().err
