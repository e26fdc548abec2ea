"""Figure 6: average score in four categories, one line per encoder, coloured by supervision.

python analysis/plot_fig6.py               own results, with intervals, blind and chance levels
python analysis/plot_fig6.py --published   the paper's 19 encoders
python analysis/plot_fig6.py --both        own results at the paper's scale over the published lines
python analysis/plot_fig6.py --ranks       ranks in place of scores, as fig6_ranks, with a Markdown table
python analysis/plot_fig6.py --noise       a band below the best, in which differences may be chance
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.designs import Design
from analysis.drawing import Drawing, draw
from analysis.errors import AnalysisError
from analysis.figure import FigureCommand, Picture, figure_parser, make_figure
from analysis.lines import published_lines, to_frame
from analysis.material import Material, category_ticks, refuse_idle_options
from analysis.paired import CATEGORY
from analysis.power import noise_floor
from analysis.rank_drawing import draw_ranks
from analysis.ranks import markdown_table, rank, ranks_to_frame, text_of_ranks
from analysis.table import text_table

RECIPE = "1.2M adapter data, frozen encoder, 737K instruction data, Vicuna-1.5-7B"


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    parser = figure_parser(SCORES)
    parser.add_argument(
        "--ranks", action="store_true", help="draw the place of each encoder in each category"
    )
    parser.add_argument(
        "--noise",
        action="store_true",
        help="draw how far two equal designs may be apart by chance, from the answers to single questions",
    )
    options = parser.parse_args(arguments)
    refuse_idle_options(parser, options)
    if options.noise and (options.published or options.ranks):
        parser.error("--noise is known of own scores; leave out --published and --ranks")
    scores = replace(SCORES, draw=partial(_draw_scores, noise=True)) if options.noise else SCORES
    return make_figure(RANKS if options.ranks else scores, options)


def _draw_scores(material: Material, *, noise: bool = False) -> Picture:
    subtitle = material.describe(RECIPE)
    floors = _noise_floors(material) if noise else {}
    drawing = Drawing(
        lines=material.lines,
        title=material.title,
        subtitle=subtitle,
        ticks=category_ticks(material),
        noise_floors=floors,
    )
    points = to_frame(material.lines)
    return Picture(
        figure=draw(drawing),
        points=points.assign(noise_floor=points["category"].map(floors)) if floors else points,
        text=f"{subtitle}\n\n{text_table(material.lines)}",
    )


def _noise_floors(material: Material) -> dict[str, float]:
    """Category -> half a 95 % interval of the difference between two equal designs, in points.

    Raises:
        AnalysisError: if no own result has the credits of single questions.
    """
    own = material.own.lines if material.own else ()
    if not material.answers.credits:
        raise AnalysisError("no own result has the credits of single questions, which --noise is made of")
    designs = [Design(label=line.label, runs=line.runs) for line in own]
    floors = noise_floor(material.answers.credits, designs)
    rows = floors[floors["level"] == CATEGORY]
    return {str(name): float(value) for name, value in zip(rows["name"], rows["noise_floor"], strict=True)}


def _draw_ranks(material: Material) -> Picture:
    ranked = rank(material.lines)
    words = material.describe(RECIPE, bars="bars: places that 95 % intervals leave open")
    subtitle = f"places among those shown, 1 is best; {words}"
    return Picture(
        figure=draw_ranks(ranked, material.title, subtitle),
        points=ranks_to_frame(ranked),
        text=f"{subtitle}\n\n{text_of_ranks(ranked)}",
        notes=() if material.own else (PAPER_RANKS,),
        markdown=markdown_table(ranked),
    )


PAPER_RANKS = (
    "places are among the paper's 19 encoders with this recipe, by their means before rounding; "
    "the paper's own ranking table may rank more, or other recipes"
)
SCORES = FigureCommand(
    number=6,
    about=__doc__ or "",
    published=published_lines,
    draw=_draw_scores,
    fill="python run.py -m encoder=siglip,dinov2 connector=sva",
)
RANKS = FigureCommand(
    number=6,
    about=__doc__ or "",
    published=published_lines,
    draw=_draw_ranks,
    fill=SCORES.fill,
    variant="_ranks",
)

if __name__ == "__main__":
    sys.exit(main())
