"""How figures look and how they are written: one look per supervision, the same bytes each time."""

from __future__ import annotations

import os
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib.style
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

RC: Mapping[str, object] = {
    "font.size": 7.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "cambrian",
    "savefig.dpi": 300,
}
"""Settings over matplotlib's defaults, for a figure that is printed at its own size."""


Dashes = Literal["solid"] | tuple[float, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Look:
    """Colour and, for eyes and printers without colour, mark and dashes."""

    name: str
    color: str
    marker: str
    dashes: Dashes
    """Of a thin line; on, off, ... in line widths."""
    bold_dashes: Dashes
    """The same pattern, shorter in line widths, for an emphasised line."""


LOOKS: Mapping[str, Look] = {
    "language": Look(
        name="language-supervised", color="#0072B2", marker="o", dashes="solid", bold_dashes="solid"
    ),
    "self": Look(
        name="self-supervised",
        color="#D55E00",
        marker="s",
        dashes=(0, (5, 1.6)),
        bold_dashes=(0, (2.6, 0.8)),
    ),
    "other": Look(
        name="other",
        color="#008A63",
        marker="^",
        dashes=(0, (5, 1.4, 1, 1.4)),
        bold_dashes=(0, (3, 0.7, 0.8, 0.7)),
    ),
    "mixed": Look(
        name="several",
        color="#AA4499",
        marker="P",
        dashes=(0, (8, 1.4, 1, 1.4, 1, 1.4)),
        bold_dashes=(0, (5, 0.7, 0.8, 0.7, 0.8, 0.7)),
    ),
    "control": Look(
        name="control",
        color="#6E6E6E",
        marker="D",
        dashes=(0, (1.2, 1.4)),
        bold_dashes=(0, (1, 0.8)),
    ),
}
"""Supervision -> look, in the order of legends; colours after Okabe and Ito, the fourth after Tol."""


CATEGORY_LOOKS: Mapping[str, Look] = {
    "general": Look(name="General", color="#56B4E9", marker="o", dashes="solid", bold_dashes="solid"),
    "knowledge": Look(
        name="Knowledge", color="#E69F00", marker="s", dashes=(0, (5, 1.6)), bold_dashes=(0, (2.6, 0.8))
    ),
    "ocr_chart": Look(
        name="OCR & Chart",
        color="#332288",
        marker="^",
        dashes=(0, (5, 1.4, 1, 1.4)),
        bold_dashes=(0, (3, 0.7, 0.8, 0.7)),
    ),
    "vision_centric": Look(
        name="Vision-Centric",
        color="#CC79A7",
        marker="D",
        dashes=(0, (1.2, 1.4)),
        bold_dashes=(0, (1, 0.8)),
    ),
}
"""Category -> look, where categories and not encoders are told apart: colours that no supervision has."""

WIDTH = 7.0
"""Inches: the width of both columns of a paper."""
CHARACTERS = 124
"""Of a subtitle that fit into one line."""
TITLE_SPACE, SUBTITLE_SPACE, LEGEND_SPACE = 0.22, 0.13, 0.2
"""Inches that a title, each line of a subtitle, and a legend take."""


def style() -> list[str | dict[str, object]]:
    """What `matplotlib.style.context` takes: the library's defaults, whatever the user's own, then ours."""
    return ["default", dict(RC)]


def spread(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move `heights` as little as it takes to be `gap` apart and within [low, high]; the order stays.

    Labels that touch are merged into blocks around the mean of their wanted heights (isotonic regression).
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    blocks: list[tuple[float, int]] = []
    for place, index in enumerate(order):
        blocks.append((heights[index] - gap * place, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (mean, count), (last_mean, last_count) = blocks[-2:]
            total = count + last_count
            blocks[-2:] = [((mean * count + last_mean * last_count) / total, total)]
    base = [mean for mean, count in blocks for _ in range(count)]
    ceiling = high - gap * (len(heights) - 1)
    placed = [0.0] * len(heights)
    for place, index in enumerate(order):
        placed[index] = max(low, min(base[place], ceiling)) + gap * place
    return placed


def new_figure(height: float, title: str, subtitle: str, handles: Sequence[Artist] = ()) -> Figure:
    """Make a figure with `height` inches below its title and legend, in which panels arrange themselves.

    `handles` are what the legend explains; it is one row.
    """
    head = TITLE_SPACE + SUBTITLE_SPACE * len(textwrap.wrap(subtitle, CHARACTERS)) + 0.06
    whole = height + head + (LEGEND_SPACE if handles else 0.0)
    figure = Figure(figsize=(WIDTH, whole), layout="constrained")
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0.0, 0.0, 1.0, height / whole))
    write_title(figure, title, subtitle, left=0.08)
    if handles:
        legend = figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.03 / WIDTH, 1 - head / whole),
            ncols=len(handles),
            frameon=False,
            handlelength=2.4,
            columnspacing=1.1,
            handletextpad=0.5,
            borderaxespad=0.0,
            borderpad=0.2,
        )
        legend.set_in_layout(False)
    return figure


def write_title(figure: Figure, title: str, subtitle: str, *, left: float) -> None:
    """Write both above the panels of `figure`, `left` inches from its edge."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(subtitle, CHARACTERS)
    rows = [(title, 8.5, "bold", "black"), *((line, 7, "normal", "#444444") for line in lines)]
    for row, (text, size, weight, color) in enumerate(rows):
        below = 0.14 if row == 0 else TITLE_SPACE + SUBTITLE_SPACE * (row - 0.5) + 0.015
        figure.text(
            *(left / width, 1 - below / height, text),
            fontsize=size,
            fontweight=weight,
            color=color,
            va="center",
        )


def supervision_handles(supervisions: Iterable[str]) -> list[Line2D]:
    """What a legend says of each of `supervisions`, in the order of `LOOKS`."""
    there = set(supervisions)
    return [
        Line2D(
            [], [], color=look.color, marker=look.marker, linestyle=look.dashes, label=look.name, markersize=4
        )
        for supervision, look in LOOKS.items()
        if supervision in there
    ]


def partial_handle() -> Line2D:
    """What a legend says of hollow marks: scores of parts of benchmarks."""
    return Line2D(
        [],
        [],
        color="black",
        linestyle="none",
        marker="o",
        markersize=4,
        markerfacecolor="white",
        label="partial",
    )


def save(figure: Figure, points: pd.DataFrame, out: Path, name: str) -> list[Path]:
    """Write NAME.png, .pdf, .svg and .csv into `out`: each whole or not at all, and without a date inside."""
    out.mkdir(parents=True, exist_ok=True)
    with matplotlib.style.context(style()):
        quick = {"compress_level": 1}  # a tenth larger than by default, and written in half the time
        _write(
            out / f"{name}.png",
            lambda path: figure.savefig(path, format="png", metadata={"Software": None}, pil_kwargs=quick),
        )
        figure.set_layout_engine(None)  # as it now is: all files alike, none drawn once more to be laid out
        undated = {"CreationDate": None, "Creator": None, "Producer": None}
        _write(out / f"{name}.pdf", lambda path: figure.savefig(path, format="pdf", metadata=undated))
        bare = {"Date": None, "Creator": None}
        _write(out / f"{name}.svg", lambda path: figure.savefig(path, format="svg", metadata=bare))
    write_csv(points, out / f"{name}.csv")
    return [out / f"{name}.{kind}" for kind in ("png", "pdf", "svg", "csv")]


def write_csv(points: pd.DataFrame, path: Path) -> None:
    """Write `points` to `path` with ten significant digits."""
    _write(path, lambda draft: points.to_csv(draft, index=False, float_format="%.10g", lineterminator="\n"))


def write_bytes(content: bytes, path: Path) -> None:
    """Write `content` to `path`; folders above it are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, lambda draft: draft.write_bytes(content))


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path`."""
    _write(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then move it there in one step."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    draft = Path(name)
    try:
        write(draft)
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
