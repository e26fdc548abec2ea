"""The picture of Figure 6: categories on x, average score on y, one line per encoder or run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import TextPath

from analysis.level_drawing import NOISE, NOISE_STRENGTH, draw_levels, draw_noise
from analysis.lines import Line, Point
from analysis.published import CATEGORIES
from analysis.style import LOOKS, WIDTH, partial_handle, spread, style, supervision_handles, write_title

SIZE = (WIDTH, 3.7)
"""Inches."""
LEFT, BOTTOM, HEIGHT = 0.46, 0.44, 2.62
"""Inches: place and height of the axes; their width is what the labels leave."""
LEAD, MEAN_COLUMN, EDGE = 0.2, 0.4, 0.06
"""Inches: from the axes to the labels, for the column of means behind them, and behind that."""
LABEL_GAP = 0.124
"""Inches from one label to the next."""
LABEL_SIZE = 7
MOST_IN_A_ROW, LEGEND_ROW = 6, 0.15
"""Entries of the legend beside each other; inches that each further row takes from the axes."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What one figure shows."""

    lines: tuple[Line, ...]
    title: str
    subtitle: str
    ticks: tuple[str, ...]
    """Names of the four categories, with what each is the mean of."""
    noise_floors: Mapping[str, float] = field(default_factory=dict)
    """Category -> points by which two equal designs may differ by chance."""

    @property
    def has_both(self) -> bool:
        """Whether own lines are drawn over published ones."""
        return len({line.source for line in self.lines}) > 1


@dataclass(frozen=True, kw_only=True)
class _Label:
    line: Line
    weight: Literal["bold", "normal"]

    @property
    def width(self) -> float:
        """Inches in print."""
        font = FontProperties(family="DejaVu Sans", weight=self.weight)
        return TextPath((0, 0), self.line.label, size=LABEL_SIZE, prop=font).get_extents().width / 72


def draw(drawing: Drawing) -> Figure:
    """The figure of `drawing`, at its size in print."""
    with matplotlib.style.context(style()):
        figure = Figure(figsize=SIZE)
        best = _best(drawing.lines)
        labels = _labels(drawing, best)
        margin = max(label.width for label in labels) + LEAD + MEAN_COLUMN + EDGE
        handles = _handles(drawing)
        height = HEIGHT - LEGEND_ROW * (_legend_rows(handles) - 1)
        axes = figure.add_axes(
            (LEFT / SIZE[0], BOTTOM / SIZE[1], 1 - (LEFT + margin) / SIZE[0], height / SIZE[1])
        )
        _frame(figure, axes, drawing)
        draw_levels(axes, drawing.lines)
        draw_noise(axes, drawing.lines, drawing.noise_floors)
        shifts = _shifts(drawing.lines)
        for line, shift in zip(drawing.lines, shifts, strict=True):
            pale = drawing.has_both and line.source == "published"
            _draw_line(axes, line, shift, emphasised=line in best, pale=pale)
        _draw_labels(axes, labels, dict(zip(map(id, drawing.lines), shifts, strict=True)))
        _draw_legend(axes, handles)
    return figure


def _best(lines: Sequence[Line]) -> list[Line]:
    """The line with the highest average of each source and supervision."""
    best: dict[tuple[str, str], tuple[float, Line]] = {}
    for line in lines:
        key = (line.source, line.supervision)
        if line.average and (key not in best or line.average.score > best[key][0]):
            best[key] = (line.average.score, line)
    return [line for _, line in best.values()]


def _frame(figure: Figure, axes: Axes, drawing: Drawing) -> None:
    lows = [
        p.estimate.score if p.estimate.low is None else p.estimate.low for p in _all_points(drawing.lines)
    ]
    highs = [
        p.estimate.score if p.estimate.high is None else p.estimate.high for p in _all_points(drawing.lines)
    ]
    levels = [v for p in _all_points(drawing.lines) for v in (p.blind, p.chance) if v is not None]
    axes.set_ylim(
        max(0.0, 5 * math.floor(min(lows + levels) / 5 - 0.4)),
        min(103.0, 5 * math.ceil(max(highs) / 5 + 0.2)),  # room for the marker of a perfect score
    )
    axes.set_xlim(-0.28, 3.28)
    axes.set_xticks(range(len(CATEGORIES)), drawing.ticks)
    axes.tick_params(axis="x", length=0, pad=4)
    axes.set_ylabel("average score")
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)
    for place in range(len(CATEGORIES)):
        axes.axvline(place, color="#C9C9C9", linewidth=0.5, zorder=0.6)
    write_title(figure, drawing.title, drawing.subtitle, left=LEFT)


def _all_points(lines: Sequence[Line]) -> list[Point]:
    return [point for line in lines for point in line.points.values()]


def _shifts(lines: Sequence[Line]) -> list[float]:
    """Sideways steps that keep the error bars of own lines apart; published points stay in the middle."""
    own = [index for index, line in enumerate(lines) if line.source == "own"]
    shifts = [0.0] * len(lines)
    step = min(0.05, 0.36 / max(len(own) - 1, 1))
    for place, index in enumerate(own):
        shifts[index] = step * (place - (len(own) - 1) / 2)
    return shifts


def _draw_line(axes: Axes, line: Line, shift: float, *, emphasised: bool, pale: bool) -> None:
    look = LOOKS[line.supervision]
    places = [place + shift for place in range(len(CATEGORIES))]
    found = [line.points.get(category) for category in CATEGORIES]
    scores = [point.estimate.score if point else math.nan for point in found]
    strength = (0.3 if pale else 0.62) if not emphasised else (0.5 if pale else 1.0)
    axes.plot(
        places,
        scores,
        color=look.color,
        marker=look.marker,
        linestyle=look.bold_dashes if emphasised else look.dashes,
        linewidth=1.9 if emphasised else 0.8,
        markersize=4.6 if emphasised else 2.6,
        markeredgecolor="white" if emphasised else look.color,
        markeredgewidth=0.5 if emphasised else 0,
        alpha=strength,
        zorder=(3 if emphasised else 2) + (0 if pale else 1),
    )
    for place, point in zip(places, found, strict=True):
        if point and point.partial:
            axes.plot(
                *(place, point.estimate.score),
                color=look.color,
                marker=look.marker,
                markersize=4.6 if emphasised else 2.6,
                markerfacecolor="white",
                markeredgewidth=0.7,
                zorder=5,
            )
        if point and point.estimate.low is not None and point.estimate.high is not None:
            axes.vlines(
                place,
                point.estimate.low,
                point.estimate.high,
                color=look.color,
                linewidth=1.0 if emphasised else 0.6,
                alpha=strength,
                zorder=2,
            )


def _labels(drawing: Drawing, best: Sequence[Line]) -> list[_Label]:
    """Of all lines if they fit one above the other, else of the best; of pale ones only the best."""
    lines = [line for line in drawing.lines if line.points]
    if drawing.has_both:
        lines = [line for line in lines if line.source == "own" or line in best]
    if len(lines) * LABEL_GAP > HEIGHT:
        lines = [line for line in lines if line in best]
    bold = [line for line in best if line.source == "own"] if drawing.has_both else best
    return [_Label(line=line, weight="bold" if line in bold else "normal") for line in lines]


def _draw_labels(axes: Axes, labels: Sequence[_Label], shifts: Mapping[int, float]) -> None:
    """Names at the right end in the order of the last points, led to them, and the means in a column.

    A line that ends before the last category has no lead: it would pass for data.
    """
    low, high = axes.get_ylim()
    gap = LABEL_GAP * (high - low) / HEIGHT
    right = axes.get_xlim()[1]
    inch = (right - axes.get_xlim()[0]) / (axes.get_position().width * SIZE[0])
    start, end = (
        right + LEAD * inch,
        right + (LEAD + max(label.width for label in labels) + MEAN_COLUMN) * inch,
    )
    ends = [_end(label.line) for label in labels]
    heights = spread([score for _, score in ends], gap, low, high)
    for label, (place, score), y in zip(labels, ends, heights, strict=True):
        color = LOOKS[label.line.supervision].color
        if place == len(CATEGORIES) - 1:
            turns = [place + shifts[id(label.line)], right, start - 0.06 * inch, start - 0.03 * inch]
            axes.plot(turns, [score, score, y, y], color=color, lw=0.4, alpha=0.6, clip_on=False, zorder=1.2)
        average = label.line.average
        mean_text = "-" if average is None else f"{average.score:.1f}"
        for x, text, side in ((start, label.line.label, "left"), (end, mean_text, "right")):
            axes.text(
                *(x, y, text),
                color=color,
                fontsize=LABEL_SIZE,
                fontweight=label.weight,
                ha=side,
                va="center_baseline",
                clip_on=False,
            )
    axes.text(
        end,
        max(heights) + gap,
        "mean",
        color="#444444",
        fontsize=LABEL_SIZE,
        ha="right",
        va="center_baseline",
    )


def _end(line: Line) -> tuple[int, float]:
    """Place and score of the last point of `line`."""
    place, category = [(i, name) for i, name in enumerate(CATEGORIES) if name in line.points][-1]
    return place, line.points[category].estimate.score


def _handles(drawing: Drawing) -> list[Artist]:
    """What the legend explains."""
    lines = drawing.lines
    handles: list[Artist] = [*supervision_handles(line.supervision for line in lines)]
    if any(point.blind is not None for point in _all_points(lines)):
        handles.append(Line2D([], [], color="#4D4D4D", linewidth=1.4, label="blind (no image)"))
        handles.append(Line2D([], [], color="black", linewidth=1, linestyle=(0, (1, 1)), label="chance"))
    if drawing.noise_floors:
        handles.append(Patch(color=NOISE, alpha=NOISE_STRENGTH, linewidth=0, label="noise below the best"))
    if any(line.partial for line in lines):
        handles.append(partial_handle())
    return handles


def _legend_rows(handles: Sequence[Artist]) -> int:
    return math.ceil(len(handles) / MOST_IN_A_ROW)


def _draw_legend(axes: Axes, handles: Sequence[Artist]) -> None:
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.012, 0.985),
        ncols=math.ceil(len(handles) / _legend_rows(handles)),
        frameon=False,
        handlelength=2.4,
        columnspacing=1.1,
        handletextpad=0.5,
        borderaxespad=0.3,
    )
