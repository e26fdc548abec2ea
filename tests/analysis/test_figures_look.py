"""Figures of many own results can be read, and own results stand out from published ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_store import manifest, put
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis import figure, plot_fig5, plot_fig6, plot_fig11, plot_fig17
from analysis.published import benchmarks

Draw = Callable[..., Figure]


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Draws from the store in `tmp_path` and gives the figure as it was saved."""
    saved: list[Figure] = []
    save = figure.save

    def keep(drawn: Figure, *rest: Any) -> list[Path]:
        saved.append(drawn)
        return save(drawn, *rest)

    monkeypatch.setattr(figure, "save", keep)

    def run(main: Callable[[list[str]], int], *words: str) -> Figure:
        assert main(["--store", str(tmp_path), "--out", str(tmp_path / "out"), *words]) == 0
        saved[-1].draw_without_rendering()  # measures texts anew, as for the screen
        return saved[-1]

    return run


def fill(store: Path, encoder: str, score: float, *, total: int = 0, **axes: Any) -> None:
    """A run on the paper's benchmarks; with `total`, of parts of those of General."""
    for category, ids in benchmarks().items():
        for benchmark in ids:
            factor = 20 if benchmark == "mme_p" else 1
            ends = {"score": score, "low": score - 1, "high": score + 1}
            metrics = {name: factor * value for name, value in ends.items()}
            metrics |= {"total": total} if total and category == "general" else {}
            design = {"scale": "paper", "llm": "vicuna_7b", **axes}
            put(store, manifest((encoder,), benchmark, category, axes=design, metrics=metrics))


def overlaps(texts: Iterable[Text]) -> list[tuple[str, str]]:
    """Texts that share more than a pixel."""
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts if text.get_text()]
    return [(one, other) for (one, here), (other, there) in combinations(boxes, 2) if here.overlaps(there)]


def fill_mixtures(store: Path, *, total: int = 0) -> None:
    """Three encoders on the mixtures but the fourth, some of them with the same score."""
    for number, mixture in enumerate(("exp1", "exp2", "exp3", "exp5")):
        for encoder, score in (("clip", 50.0), ("dinov2", 50.0), ("sam", 49.0)):
            part = total if encoder == "sam" else 0
            fill(store, encoder, score + number, total=part, adapter="0M", instruct=f"ratio_{mixture}")


def columns_of(drawn: Figure) -> Sequence[Axes]:
    """Axes of Figure 11 with scores."""
    return drawn.axes[1:]


def test_fig11_gives_every_model_of_a_mixture_a_row(tmp_path: Path, draw: Draw) -> None:
    fill_mixtures(tmp_path)
    drawn = draw(plot_fig11.main, "--both")
    for axes in columns_of(drawn):
        assert overlaps(axes.texts) == []
        heights = [float(line.get_ydata()[0]) for line in axes.lines]  # pyright: ignore
        assert len(set(heights)) == len(heights) == 5 + 4 * 3
    names = [text.get_text() for text in columns_of(drawn)[-1].texts]
    assert [names.count(name) for name in ("published", "clip", "dinov2", "sam")] == [5, 4, 4, 4]
    points = pd.read_csv(tmp_path / "out" / "fig11.csv")
    own = points[points["source"] == "own"]
    assert set(own["mixture"]) == {"exp1", "exp2", "exp3", "exp5"}  # a gap stays one
    assert (own["low"] < own["score"]).all()


def test_fig11_shows_parts_in_the_average_too(tmp_path: Path, draw: Draw) -> None:
    fill_mixtures(tmp_path, total=1000)
    drawn = draw(plot_fig11.main)
    hollow = [sum(line.get_markerfacecolor() == "white" for line in axes.lines) for axes in columns_of(drawn)]
    assert hollow == [4, 0, 0, 0, 4]
    assert "partial" in [text.get_text() for text in drawn.legends[0].get_texts()]


def test_fig5_names_more_recipes_than_the_papers(tmp_path: Path, draw: Draw) -> None:
    for adapter in ("0M", "0.5M", "1.2M"):
        for vision in ("frozen", "unfrozen"):
            fill(tmp_path, "clip", 50.0, adapter=adapter, vision=vision)
    drawn = draw(plot_fig5.main, "--both")
    labels = drawn.axes[-1].get_xticklabels()
    assert len(labels) == 6
    assert overlaps(labels) == []


def test_ranks_show_published_models_pale(tmp_path: Path, draw: Draw) -> None:
    fill(tmp_path, "clip", 50.0)
    fill(tmp_path, "dinov2", 45.0)
    (axes,) = draw(plot_fig6.main, "--ranks", "--both").axes
    strengths = [line.get_alpha() for line in axes.lines]
    assert len(strengths) == 19 + 2
    assert sorted(strengths)[:19] == [min(strengths)] * 19  # pyright: ignore
    assert sorted(strengths)[19] > 2 * min(strengths)  # pyright: ignore


def test_fig17_has_a_rule_between_published_and_own_rows(tmp_path: Path, draw: Draw) -> None:
    for encoder in ("clip", "dinov2"):
        for vision, score in (("frozen", 50.0), ("unfrozen", 55.0)):
            fill(tmp_path, encoder, score, vision=vision)
    axes = draw(plot_fig17.main, "--both").axes[0]
    heights = [float(line.get_ydata()[0]) for line in axes.lines if list(line.get_xdata()) == [0, 1]]  # pyright: ignore
    # 15 published pairs, 2 own, 4 published means, 1 own: of all
    assert heights == [14.5, 16.5, 20.5]
