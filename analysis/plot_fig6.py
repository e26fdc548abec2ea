"""Figure 6: average score in four categories, one line per encoder, coloured by supervision.

python analysis/plot_fig6.py               own results, with intervals, blind and chance levels
python analysis/plot_fig6.py --published   the paper's 19 encoders
python analysis/plot_fig6.py --both        own results at the paper's scale over the published lines
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: siblings are found from the project's folder, not from this one
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from analysis.command import add_store_options, first_look, read_lines
from analysis.drawing import Drawing, draw
from analysis.errors import AnalysisError
from analysis.lines import DESIGN, Line, OwnLines, published_lines, to_frame
from analysis.published import CATEGORIES
from analysis.results import ROOT
from analysis.style import save
from analysis.table import text_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.published and (options.store or options.only or options.runs or options.proxy != 1):
        parser.error(
            "--published draws the paper's numbers alone; --store, --only, --runs and --proxy choose among "
            "own results"
        )
    try:
        drawing = _drawing(options)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    paths = save(draw(drawing), to_frame(drawing.lines), options.out, "fig6")
    print(f"{drawing.title}\n{drawing.subtitle}\n\n{text_table(drawing.lines)}\n\nFigure 6 is in:")
    print(*(f"  {path}" for path in paths), sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="plot_fig6.py"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--published", action="store_true", help="the paper's 19 lines, from its tables")
    which.add_argument("--both", action="store_true", help="own results (scale=paper only) over the paper's")
    add_store_options(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "figures",
        metavar="DIR",
        help="takes fig6.png, fig6.pdf and fig6.csv (default: figures/ of this project)",
    )
    return parser


def _drawing(options: argparse.Namespace) -> Drawing:
    recipe = "1.2M adapter data, frozen encoder, 737K instruction data, Vicuna-1.5-7B"
    if options.published:
        return Drawing(
            lines=published_lines(),
            title="Published results (Cambrian-1)",
            subtitle=recipe,
            ticks=tuple(f"{name}\n4 benchmarks" for name in CATEGORIES.values()),
        )
    own = read_lines(options.store, options.only, runs=options.runs, both=options.both, proxy=options.proxy)
    if options.both:
        title, subtitle = (
            "Own results at the paper's scale, over the published ones (pale)",
            f"published: {recipe}",
        )
    else:
        title, subtitle = _own_title(own), _own_subtitle(own.lines)
    return Drawing(
        lines=(*(published_lines() if options.both else ()), *own.lines),
        title=first_look(options.proxy) + title,
        subtitle=subtitle,
        ticks=tuple(
            f"{CATEGORIES[category]}\n{len(names)} benchmark{'s' if len(names) != 1 else ''}"
            for category, names in own.benchmarks.items()
        ),
    )


def _own_title(own: OwnLines) -> str:
    scale = own.lines[0].scale
    if scale == "paper":
        return "Own results at the paper's scale"
    return f"{scale.capitalize()} result: not comparable with the paper's numbers"


def _own_subtitle(lines: Sequence[Line]) -> str:
    """What all lines share, and what the bars are."""
    shared = [
        f"{axis} {lines[0].design[axis]}"
        for axis in DESIGN
        if len({line.design[axis] for line in lines}) == 1
    ]
    seeds = sorted({seed for line in lines for seed in line.seeds})
    word = "seed" if len(seeds) == 1 else "seeds"
    return ", ".join([*shared, f"{word} {', '.join(map(str, seeds))}", "bars: 95 % intervals"])


if __name__ == "__main__":
    sys.exit(main())
