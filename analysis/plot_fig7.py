"""Figure 7: CLIP against DINOv2, with more instruction data and with the encoder unfrozen.

python analysis/plot_fig7.py               own results, with intervals
python analysis/plot_fig7.py --published   the paper's eight models
python analysis/plot_fig7.py --both        own results at the paper's scale beside the published ones

Each pair of marks is one setting; the number over it is the gap, CLIP minus DINOv2.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pandas as pd
from matplotlib.axes import Axes

from analysis.answers import Answers, add
from analysis.errors import AnalysisError
from analysis.figure import FigureCommand, Picture, run_figure
from analysis.lines import Line, published_lines
from analysis.material import Material
from analysis.missing import Cell, fill_notes
from analysis.published import NAMES, recipe_models
from analysis.ranks import COLUMNS, estimate_of
from analysis.statistics import Estimate
from analysis.style import LOOKS, new_figure
from analysis.text import align

PAIR = ("clip", "dinov2")
"""A language-supervised and a self-supervised encoder."""
ADAPTER = "1.2M"
Setting = tuple[str, str]
"""Instruction data and whether the encoder trains."""
SETTINGS: Mapping[Setting, str] = {
    ("737k", "frozen"): "0.7M frozen",
    ("737k", "unfrozen"): "0.7M unfrozen",
    ("5m", "frozen"): "5M frozen",
    ("5m", "unfrozen"): "5M unfrozen",
}
"""In the order of the figure -> how it calls them."""
BESIDE = 0.2
"""Half the distance of own pairs from published ones; settings are 1 apart."""
APART = 0.13
"""Half the distance of the marks of a pair whose intervals would hide each other."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    return run_figure(COMMAND, arguments)


def pair_lines() -> tuple[Line, ...]:
    """The paper's models of the two encoders at 1.2M adapter data."""
    return published_lines(
        [model for model in recipe_models() if NAMES[model.encoder] in PAIR and model.adapter == ADAPTER]
    )


Cells = Mapping[tuple[str, Setting, str], Line]
"""Source, setting, encoder -> line."""


def _draw(material: Material) -> Picture:
    cells = _cells(material)
    subtitle = material.describe("1.2M adapter data, Vicuna-1.5-7B, ViT-L/14@336")
    figure = new_figure(3.1, material.title, subtitle)
    axes = figure.subplots()
    width = len(SETTINGS) + 0.7
    for group, (name, title) in enumerate(COLUMNS.items()):
        axes.text(
            *(group * width + (len(SETTINGS) - 1) / 2, 1.015, title),
            transform=axes.get_xaxis_transform(),
            fontsize=8,
            fontweight="bold",
            ha="center",
        )
        for index, setting in enumerate(SETTINGS):
            for source in ("published", "own"):
                shift = 0.0 if not material.both else (-BESIDE if source == "published" else BESIDE)
                pair = [cells.get((source, setting, encoder)) for encoder in PAIR]
                gap, pale = _gap(pair, name, material.answers), material.both and source != "own"
                _draw_pair(axes, group * width + index + shift, pair, name, gap, pale=pale)
    _dress(axes, width)
    return Picture(
        figure=figure,
        points=_to_frame(cells, material.answers),
        text=align(_table(cells, material.answers)),
        notes=(*_gap_notes(material, cells), *_missing(material, cells)),
    )


def _cells(material: Material) -> Cells:
    """Every line in its place.

    Raises:
        AnalysisError: if there is none, or two for one place.
    """
    cells: dict[tuple[str, Setting, str], Line] = {}
    twice: list[str] = []
    for line in material.lines:
        encoder = NAMES.get(line.encoder, line.encoder)
        setting = (line.design["instruct"], line.design["vision"])
        if encoder in PAIR and line.design["adapter"] == ADAPTER and setting in SETTINGS:
            if (line.source, setting, encoder) in cells:
                twice += [line.label, cells[line.source, setting, encoder].label]
            cells[line.source, setting, encoder] = line
    if twice:
        raise AnalysisError(
            f"several models for one place of the figure: {', '.join(dict.fromkeys(twice))}; choose among "
            "them with --only, such as --only connector=concat, or with --runs"
        )
    if not any(source == "own" for source, _, _ in cells) and material.own:
        raise AnalysisError(
            f"no result of {' or '.join(PAIR)} at {ADAPTER} adapter data\n  make some: {COMMAND.fill}"
        )
    return cells


def _gap(pair: Sequence[Line | None], name: str, answers: Answers) -> Estimate | None:
    """First less second; of own results with an interval, from answers to the same questions."""
    scores = [
        answers.score(line.runs, name, estimate.score)
        for line in pair
        if line and (estimate := estimate_of(line, name))
    ]
    return answers.estimate(add(scores[0], scores[1].times(-1))) if len(scores) == 2 else None


def _draw_pair(
    axes: Axes, x: float, pair: Sequence[Line | None], name: str, gap: Estimate | None, *, pale: bool
) -> None:
    found = [(line, estimate_of(line, name) if line else None) for line in pair]
    estimates = [(line, estimate) for line, estimate in found if line and estimate]
    alpha = 0.4 if pale else 1.0
    bars = any(estimate.low is not None for _, estimate in estimates)
    places = [
        x + (side if bars else 0.0) for side, (_, each) in zip((-APART, APART), found, strict=True) if each
    ]
    scores = [estimate.score for _, estimate in estimates]
    axes.plot(places, scores, color="#B5B5B5", linewidth=2.2, alpha=alpha, zorder=1)
    for place, (line, estimate) in zip(places, estimates, strict=True):
        look = LOOKS[line.supervision]
        partial = line.is_partial(name)
        axes.plot(
            *(place, estimate.score),
            color=look.color,
            marker=look.marker,
            markersize=4.4,
            markerfacecolor="white" if partial else look.color,
            markeredgewidth=0.7 if partial else 0,
            alpha=alpha,
            zorder=3,
        )
        if estimate.low is not None and estimate.high is not None:
            axes.vlines(place, estimate.low, estimate.high, color=look.color, linewidth=0.8, zorder=2)
    if gap and not pale:
        top = max(estimate.high or estimate.score for _, estimate in estimates)
        axes.annotate(
            f"{gap.score:.1f}", (x, top), (0, 4), textcoords="offset points", fontsize=6, ha="center"
        )


def _dress(axes: Axes, width: float) -> None:
    places = [group * width + index for group in range(len(COLUMNS)) for index in range(len(SETTINGS))]
    axes.set_xticks(places, list(SETTINGS.values()) * len(COLUMNS), rotation=90, fontsize=6.5)
    axes.set_xlim(-0.8, places[-1] + 0.8)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("average score")
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.margins(y=0.09)
    for group in range(1, len(COLUMNS)):
        axes.axvline(group * width - 0.85, color="#C9C9C9", linewidth=0.5)
    for encoder, supervision, name in zip(PAIR, ("language", "self"), ("CLIP", "DINOv2"), strict=True):
        look = LOOKS[supervision]
        axes.plot(
            [],
            [],
            color=look.color,
            marker=look.marker,
            linestyle="none",
            markersize=4.4,
            label=name,
            gid=encoder,
        )
    axes.legend(loc="lower left", frameon=False, ncols=2, handletextpad=0.1, columnspacing=0.8)


def _to_frame(cells: Cells, answers: Answers) -> pd.DataFrame:
    """One row per encoder, setting and column, with the gap to the other encoder beside it."""
    rows = []
    for (source, setting, encoder), line in cells.items():
        for name in COLUMNS:
            estimate = estimate_of(line, name)
            gap = _gap([cells.get((source, setting, other)) for other in PAIR], name, answers)
            rows.append(
                {
                    "encoder": encoder,
                    "supervision": line.supervision,
                    "instruct": setting[0],
                    "vision": setting[1],
                    "category": name,
                    "score": estimate.score if estimate else None,
                    "low": estimate.low if estimate else None,
                    "high": estimate.high if estimate else None,
                    "gap": gap.score if gap else None,
                    "gap_low": gap.low if gap else None,
                    "gap_high": gap.high if gap else None,
                    "source": source,
                    "scale": line.scale,
                    "seeds": " ".join(map(str, line.seeds)),
                    "runs": " ".join(line.runs),
                }
            )
    return pd.DataFrame(rows)


def _table(cells: Cells, answers: Answers) -> list[list[str]]:
    """The gaps."""
    rows = [["gap, CLIP - DINOv2", "source", *COLUMNS.values()]]
    for source in dict.fromkeys(source for source, _, _ in cells):
        for setting, title in SETTINGS.items():
            pair = [cells.get((source, setting, each)) for each in PAIR]
            gaps = [_gap(pair, name, answers) for name in COLUMNS]
            rows.append([title, source, *(_signed(gap) for gap in gaps)])
    return rows


def _signed(gap: Estimate | None) -> str:
    if gap is None:
        return "-"
    ends = "" if gap.low is None or gap.high is None else f" [{gap.low:+.1f}, {gap.high:+.1f}]"
    return f"{gap.score:+.1f}{ends}"


def _gap_notes(material: Material, cells: Cells) -> tuple[str, ...]:
    if not material.published:
        return ()
    ends = [("737k", "frozen"), ("5m", "unfrozen")]
    gaps = {
        name: [
            _gap([cells.get(("published", end, each)) for each in PAIR], name, material.answers)
            for end in ends
        ]
        for name in COLUMNS
    }
    words = [f"{COLUMNS[name]} {a.score:.1f} to {b.score:.1f}" for name, (a, b) in gaps.items() if a and b]
    return ("by the paper's table the gap goes, from 0.7M frozen to 5M unfrozen: " + ", ".join(words),)


def _missing(material: Material, cells: Cells) -> tuple[str, ...]:
    own = [line for (source, _, _), line in cells.items() if source == "own"]
    lacking: list[Cell] = [
        cell
        for setting in SETTINGS
        for encoder in PAIR
        if own and ("own", setting, encoder) not in cells
        for cell in material.cells_of(own[0], encoder=encoder, instruct=setting[0], vision=setting[1])
    ]
    return fill_notes("settings of the figure", lacking)


COMMAND = FigureCommand(
    number=7,
    about=__doc__ or "",
    published=pair_lines,
    draw=_draw,
    fill="python run.py -m sweep=fig7",
)

if __name__ == "__main__":
    sys.exit(main())
