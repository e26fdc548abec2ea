"""Figure 11: what an instruction mixture is made of, and what the model tuned on it scores.

python analysis/plot_fig11.py               own results on the five mixtures, with intervals
python analysis/plot_fig11.py --published   the paper's five mixtures
python analysis/plot_fig11.py --both        own results at the paper's scale beside the published ones
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.errors import AnalysisError
from analysis.figure import FigureCommand, Picture, run_figure
from analysis.lines import Line, published_lines
from analysis.material import Material
from analysis.missing import fill_notes
from analysis.published import mixture_ratios, ratio_models
from analysis.ranks import COLUMNS, estimate_of
from analysis.style import LOOKS, new_figure, partial_handle, supervision_handles
from analysis.text import align

COLORS = ("#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33")
"""Of the categories of data: after Tol, light, and none of those of supervision."""
PREFIX = "ratio_"
SPREAD, STEP = 0.72, 0.26
"""What all models of a mixture take, and the most from one to the next; mixtures are 1 apart."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    return run_figure(COMMAND, arguments)


def _draw(material: Material) -> Picture:
    ratios = mixture_ratios()
    lines = _chosen(material, ratios)
    models = list(dict.fromkeys(_model(*one) for one in lines))
    subtitle = material.describe("1350K samples each, no adapter data, CLIP ViT-L/14@336, Vicuna-1.5-7B")
    handles = supervision_handles(line.supervision for _, line in lines)
    if any(line.partial for _, line in lines):
        handles.append(partial_handle())
    height = 0.7 + len(ratios) * max(0.36, 0.13 * len(models))
    figure = new_figure(height, material.title, subtitle, handles)
    panels = figure.subplots(1, 1 + len(COLUMNS), sharey=True, width_ratios=[2.7, *[1.0] * len(COLUMNS)])
    _draw_ratios(panels[0], ratios)
    placed = [(line, _height(ratios, models, mixture, line)) for mixture, line in lines]
    for axes, (name, title) in zip(panels[1:], COLUMNS.items(), strict=True):
        _draw_scores(axes, placed, name, both=material.both)
        axes.set_title(title, fontweight="bold", fontsize=7.5)
    if len(models) > 1 + material.both:
        _name_models(panels[-1], lines, [y for _, y in placed])
    panels[0].set_yticks(range(len(ratios)), [str(name) for name in ratios.index])
    panels[0].set_ylim(len(ratios) - 0.4, -0.6)
    return Picture(
        figure=figure,
        points=_to_frame(lines, ratios),
        text=align(_table(lines)),
        notes=_notes(material, lines, ratios),
    )


def _model(mixture: str, line: Line) -> str:
    """What is the same for all mixtures that a model is tuned on."""
    if line.source == "published":
        return "published"
    return " ".join(word for word in line.label.split() if word not in (f"{PREFIX}{mixture}", "(partial)"))


def _height(ratios: pd.DataFrame, models: Sequence[str], mixture: str, line: Line) -> float:
    """Where `line` stands: at its mixture, each model in a row of its own."""
    step = min(STEP, SPREAD / len(models))
    row = list(ratios.index.astype(str)).index(mixture)
    return row + step * (models.index(_model(mixture, line)) - (len(models) - 1) / 2)


def _chosen(material: Material, ratios: pd.DataFrame) -> list[tuple[str, Line]]:
    """Mixture and line, in the order of the mixtures.

    Raises:
        AnalysisError: if no own result is of one of them.
    """
    lines = [
        (str(name), line)
        for name in ratios.index
        for line in material.lines
        if line.design["instruct"] == f"{PREFIX}{name}"
    ]
    if material.own and not any(line.source == "own" for _, line in lines):
        raise AnalysisError(
            f"no result of a mixture {PREFIX}{ratios.index[0]} to {PREFIX}{ratios.index[-1]}; the lab has no "
            f"such categories of data, scale=mini has\n  make some:              {COMMAND.fill}\n"
            f"  or the paper's numbers: python analysis/{COMMAND.script} --published"
        )
    return lines


def _draw_ratios(axes: Axes, ratios: pd.DataFrame) -> None:
    for row, shares in enumerate(ratios.to_numpy(dtype=np.float64)):
        left = 0.0
        for column, color, part in zip(ratios.columns, COLORS, shares, strict=True):
            share = 100 * float(part / shares.sum())
            axes.barh(
                *(row, share),
                left=left,
                color=color,
                edgecolor="white",
                linewidth=0.6,
                height=0.66,
                label=str(column) if row == 0 else None,
            )
            if share >= 4:
                axes.text(
                    left + share / 2, row, f"{share:.0f}", fontsize=6, ha="center", va="center_baseline"
                )
            left += share
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the mixture, %")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.03, 0.99),
        ncols=4,
        frameon=False,
        fontsize=6,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=0.9,
        handletextpad=0.35,
    )


def _draw_scores(axes: Axes, placed: Sequence[tuple[Line, float]], name: str, *, both: bool) -> None:
    """Draw the score of each line at its height, with its number to the right of its interval."""
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", length=0, labelsize=6.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    axes.spines["left"].set_visible(False)
    for line, y in placed:
        estimate = estimate_of(line, name)
        if estimate is None:
            continue
        pale = both and line.source == "published"
        look = LOOKS[line.supervision]
        alpha = 0.45 if pale else 1.0
        partial = line.is_partial(name)
        axes.plot(
            *(estimate.score, y),
            color=look.color,
            marker=look.marker,
            markersize=3.8,
            alpha=alpha,
            zorder=3,
            markerfacecolor="white" if partial else look.color,
            markeredgewidth=0.7 if partial else 0,
        )
        end = estimate.score
        if estimate.low is not None and estimate.high is not None:
            axes.hlines(y, estimate.low, estimate.high, color=look.color, linewidth=0.8, alpha=alpha)
            end = estimate.high
        if not pale:
            axes.annotate(
                f"{estimate.score:.1f}",
                (end, y),
                (4, 0),
                textcoords="offset points",
                fontsize=5.5,
                va="center_baseline",
            )
    low, high = axes.dataLim.intervalx
    span = max(high - low, 1.0)
    axes.set_xlim(low - 0.15 * span, high + 0.55 * span)


def _name_models(axes: Axes, lines: Sequence[tuple[str, Line]], heights: Sequence[float]) -> None:
    """Write to the right of `axes` which model is which."""
    for (mixture, line), y in zip(lines, heights, strict=True):
        axes.annotate(
            _model(mixture, line),
            (1.03, y),
            xycoords=axes.get_yaxis_transform(),
            color=LOOKS[line.supervision].color,
            fontsize=5.5,
            va="center_baseline",
            annotation_clip=False,
        )


def _to_frame(lines: Sequence[tuple[str, Line]], ratios: pd.DataFrame) -> pd.DataFrame:
    """One row per mixture, model and column, with the shares of the mixture."""
    return pd.DataFrame(
        [
            {
                "mixture": mixture,
                "encoder": line.encoder,
                "supervision": line.supervision,
                "category": name,
                "score": estimate.score if estimate else None,
                "low": estimate.low if estimate else None,
                "high": estimate.high if estimate else None,
                "source": line.source,
                "scale": line.scale,
                **{f"share_{column}": ratios.loc[mixture, column] for column in ratios.columns},
                "seeds": " ".join(map(str, line.seeds)),
                "runs": " ".join(line.runs),
            }
            for mixture, line in lines
            for name in COLUMNS
            for estimate in [estimate_of(line, name)]
        ]
    )


def _table(lines: Sequence[tuple[str, Line]]) -> list[list[str]]:
    rows = [["mixture", "source", "model", *COLUMNS.values()]]
    for mixture, line in lines:
        cells = [f"{each.score:.2f}" if (each := estimate_of(line, name)) else "-" for name in COLUMNS]
        rows.append([mixture, line.source, line.encoder, *cells])
    return rows


def _notes(material: Material, lines: Sequence[tuple[str, Line]], ratios: pd.DataFrame) -> tuple[str, ...]:
    own = [(mixture, line) for mixture, line in lines if line.source == "own"]
    lacking = [
        cell
        for name in ratios.index
        if own and str(name) not in {mixture for mixture, _ in own}
        for cell in material.cells_of(own[0][1], instruct=f"{PREFIX}{name}")
    ]
    sums = [f"{name} to {total:g}" for name, total in ratios.sum(axis=1).round(2).items() if total != 100]
    odd = (
        (f"shares in the paper's table do not add up to 100 but {', '.join(sums)}; here they do",)
        if sums
        else ()
    )
    return (*odd, *fill_notes("mixtures", lacking))


def ratio_lines() -> tuple[Line, ...]:
    """The paper's five models."""
    return published_lines(ratio_models())


COMMAND = FigureCommand(
    number=11,
    about=__doc__ or "",
    published=ratio_lines,
    draw=_draw,
    fill="python run.py -m sweep=table_data_ratio scale=mini",
    beside="below the published ones (pale)",
)

if __name__ == "__main__":
    sys.exit(main())
