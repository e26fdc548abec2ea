"""Figure 10: rows of the data sources added up from the smallest, with at most t rows of each.

python analysis/plot_fig10.py   the paper's sources, at its thresholds t

It is about data and not about results, so that there are no own ones. A mixture that the project would really
train on, from the rows that are there, is drawn by: python -m cambrian.data.mixture NAME --picture FILE
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import matplotlib.style
import numpy as np
import pandas as pd

from analysis.figure import Picture, add_out_option, finish
from analysis.published import balance_rows, data_sources
from analysis.style import new_figure, spread, style
from analysis.text import align

TITLE = "Published data (Cambrian-10M)"
SUBTITLE = (
    "rows of all sources up to each, from the smallest, at most t rows of any; rings: the paper's totals"
)
COLORS = ("#440154", "#3B528B", "#21918C", "#5EC962", "#1A1A1A")
"""From the lowest threshold, dark to bright, and of all rows."""
NOTE = (
    "sizes are those of the paper's picture of Cambrian-10M, rounded to thousands; totals at the thresholds "
    "are up to 4 % from those that its table prints: the experiment had sources of other sizes"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is."""
    parser = argparse.ArgumentParser(
        prog="plot_fig10.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--published", action="store_true", help="the same: there is nothing else to draw")
    add_out_option(parser, "fig10")
    options = parser.parse_args(arguments)
    with matplotlib.style.context(style()):
        picture = _draw()
    finish(picture, options.out, "fig10", 10, TITLE)
    return 0


def cumulate(rows: Sequence[int], threshold: int | None) -> np.ndarray:
    """Sums of the sizes `rows` from the smallest, each cut at `threshold`; the first is 0."""
    sizes = np.sort(np.asarray(rows, dtype=np.int64))
    kept = sizes if threshold is None else np.minimum(sizes, threshold)
    return np.concatenate([[0], np.cumsum(kept)])


def _draw() -> Picture:
    sources, printed = data_sources(), balance_rows()
    curves: dict[int | None, np.ndarray] = {
        threshold: cumulate(sources["rows"].tolist(), threshold) for threshold in (*sorted(printed), None)
    }
    figure = new_figure(3.3, TITLE, SUBTITLE)
    axes = figure.subplots()
    last = len(sources)
    totals = [curve[-1] / 1e6 for curve in curves.values()]
    heights = spread(totals, 0.42, 0.0, 10.5)
    for (threshold, curve), color, height in zip(curves.items(), COLORS, heights, strict=True):
        width = 1.8 if threshold is None else 1.2
        axes.plot(range(last + 1), curve / 1e6, color=color, linewidth=width, marker=".", markersize=2.5)
        label = f"{_name(threshold)}: {curve[-1]:,}"
        if threshold is not None:
            label += f"  (paper: {printed[threshold]:,})"
            axes.plot(last, printed[threshold] / 1e6, "o", color=color, markersize=5, markerfacecolor="none")
        axes.annotate(
            label,
            (last, curve[-1] / 1e6),
            (last + 1.6, height),
            color=color,
            fontsize=7,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 3},
        )
    axes.set_xlim(0, last + 0.8)
    axes.set_ylim(0, 10.5)
    axes.set_xlabel("sources, from the smallest")
    axes.set_ylabel("rows, millions")
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)
    return Picture(
        figure=figure, points=_to_frame(sources, curves), text=_text(curves, printed), notes=(NOTE,)
    )


def _name(threshold: int | None) -> str:
    return "all rows" if threshold is None else f"t = {threshold // 1000}k"


def _to_frame(sources: pd.DataFrame, curves: Mapping[int | None, np.ndarray]) -> pd.DataFrame:
    """One row per source from the smallest, one column of sums per threshold."""
    frame = sources.sort_values("rows", kind="stable").reset_index(drop=True)
    for threshold, curve in curves.items():
        frame[_name(threshold).replace(" ", "")] = curve[1:]
    return frame


def _text(curves: Mapping[int | None, np.ndarray], printed: Mapping[int, int]) -> str:
    rows = [["", "rows", "the paper's table"]]
    for threshold, curve in curves.items():
        there = f"{printed[threshold]:,}" if threshold is not None else "-"
        rows.append([_name(threshold), f"{curve[-1]:,}", there])
    return align(rows)


if __name__ == "__main__":
    sys.exit(main())
