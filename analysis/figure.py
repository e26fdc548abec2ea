"""What the commands of all figures share: options, what is drawn, title, files, exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from analysis.errors import AnalysisError
from analysis.lines import Line
from analysis.material import Material, add_source_options, read_material, refuse_idle_options
from analysis.results import ROOT
from analysis.style import save, style, write_text


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure and what is written of it."""

    figure: Figure
    points: pd.DataFrame
    """Every number that is drawn."""
    text: str
    """The main numbers, for the terminal."""
    notes: tuple[str, ...] = ()
    """What the reader must know, one sentence each: what is missing, what the paper's own figure has."""
    markdown: str = ""
    """The points as a table; empty if the figure has none."""


@dataclass(frozen=True, kw_only=True)
class FigureCommand:
    """One figure of the paper as a command."""

    number: int
    about: str
    """Docstring of its module: the text of `--help`."""
    published: Callable[[], tuple[Line, ...]]
    draw: Callable[[Material], Picture]
    fill: str
    """Command that makes the results that it shows."""
    variant: str = ""
    """Tells the files of two pictures of one figure apart."""
    beside: str = "over the published ones (pale)"
    """How published numbers are told from own ones."""

    @property
    def name(self) -> str:
        """Of its files, without their endings."""
        return f"fig{self.number}{self.variant}"

    @property
    def script(self) -> str:
        """Its file in analysis/."""
        return f"plot_fig{self.number}.py"


def figure_parser(command: FigureCommand) -> argparse.ArgumentParser:
    """Take --published, --both, --out and the choice among own results."""
    parser = argparse.ArgumentParser(
        description=command.about, formatter_class=argparse.RawDescriptionHelpFormatter, prog=command.script
    )
    add_source_options(parser)
    add_out_option(parser, command.name)
    return parser


def add_out_option(parser: argparse.ArgumentParser, name: str) -> None:
    """Give `parser` --out."""
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "figures",
        metavar="DIR",
        help=f"takes {name}.png, .pdf, .svg and .csv (default: figures/ of this project)",
    )


def run_figure(command: FigureCommand, arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where it is; 2 if there is nothing to draw."""
    parser = figure_parser(command)
    options = parser.parse_args(arguments)
    refuse_idle_options(parser, options)
    return make_figure(command, options)


def make_figure(command: FigureCommand, options: argparse.Namespace) -> int:
    """Draw what `options` choose, write the files and print the numbers; 2 if there is nothing to draw."""
    try:
        material = read_material(command, options, command.published)
        with matplotlib.style.context(style()):
            picture = command.draw(material)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    finish(picture, options.out, command.name, command.number, material.title)
    return 0


def finish(picture: Picture, out: Path, name: str, number: int, title: str) -> None:
    """Write the files of `picture`, and print its numbers and where they are."""
    paths = save(picture.figure, picture.points, out, name)
    if picture.markdown:
        paths.append(out / f"{name}.md")
        write_text(picture.markdown, paths[-1])
    for note in picture.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{title}\n\n{picture.text}\n\nFigure {number} is in:")
    print(*(f"  {path}" for path in paths), sep="\n")
