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

from analysis.command import Hints, add_store_options, first_look, read_lines
from analysis.errors import AnalysisError
from analysis.lines import DESIGN, Line, OwnLines
from analysis.missing import cells_of, fill_notes
from analysis.published import CATEGORIES
from analysis.results import ROOT
from analysis.style import save, style, write_text


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a figure is drawn from, and how its title says where that is from."""

    lines: tuple[Line, ...]
    """Published ones, then own ones."""
    title: str
    subtitle: str
    """What all own lines share; empty without own ones."""
    own: OwnLines | None

    @property
    def published(self) -> tuple[Line, ...]:
        """The paper's."""
        return tuple(line for line in self.lines if line.source == "published")

    @property
    def both(self) -> bool:
        """Whether own lines are drawn beside published ones."""
        return self.own is not None and bool(self.published)

    def describe(self, published: str, bars: str = "bars: 95 % intervals") -> str:
        """A subtitle: `published` says what the published numbers are, `bars` how own intervals are shown."""
        if self.own is None:
            return published
        own = f"{self.subtitle}, {bars}" if bars else self.subtitle
        return f"published: {published}; own: {own}" if self.both else own


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
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--published", action="store_true", help="the paper's numbers alone")
    which.add_argument("--both", action="store_true", help="own results (scale=paper only) and the paper's")
    add_store_options(parser)
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


def refuse_idle_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a message where options that choose among own results stand beside --published."""
    if options.published and (options.store or options.only or options.runs or options.proxy != 1):
        parser.error(
            "--published draws the paper's numbers alone; --store, --only, --runs and --proxy choose among "
            "own results"
        )


def make_figure(command: FigureCommand, options: argparse.Namespace) -> int:
    """Draw what `options` choose, write the files and print the numbers; 2 if there is nothing to draw."""
    try:
        material = _read(command, options)
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


def _read(command: FigureCommand, options: argparse.Namespace) -> Material:
    published = command.published() if options.published or options.both else ()
    if options.published:
        title = "Published results (Cambrian-1)"
        return Material(lines=published, title=title, subtitle="", own=None)
    own = read_lines(
        options.store,
        options.only,
        runs=options.runs,
        both=options.both,
        proxy=options.proxy,
        hints=Hints(script=command.script, fill=command.fill),
    )
    _tell_gaps(own)
    title = (
        "Own results at the paper's scale, over the published ones (pale)" if options.both else _title(own)
    )
    return Material(
        lines=(*published, *own.lines),
        title=first_look(options.proxy) + title,
        subtitle=_subtitle(own.lines),
        own=own,
    )


def _tell_gaps(own: OwnLines) -> None:
    """Say which command evaluates runs on what they lack."""
    ids = [name for names in own.benchmarks.values() for name in names]
    gaps = [line for line in own.lines if any(name not in line.scores for name in ids)]
    for note in fill_notes("benchmarks of some runs", [cell for line in gaps for cell in cells_of(line)]):
        print(f"note: {note}", file=sys.stderr)


def _title(own: OwnLines) -> str:
    scale = own.lines[0].scale
    if scale == "paper":
        return "Own results at the paper's scale"
    return f"{scale.capitalize()} result: not comparable with the paper's numbers"


def _subtitle(lines: Sequence[Line]) -> str:
    """What all lines share."""
    shared = [
        f"{axis} {lines[0].design[axis]}"
        for axis in DESIGN
        if len({line.design[axis] for line in lines}) == 1
    ]
    seeds = sorted({seed for line in lines for seed in line.seeds})
    word = "seed" if len(seeds) == 1 else "seeds"
    return ", ".join([*shared, f"{word} {', '.join(map(str, seeds))}"])


def category_ticks(material: Material) -> tuple[str, ...]:
    """Names of the four categories, with how many benchmarks each is the mean of."""
    if material.own is None:
        return tuple(f"{name}\n4 benchmarks" for name in CATEGORIES.values())
    return tuple(
        f"{CATEGORIES[category]}\n{len(names)} benchmark{'s' if len(names) != 1 else ''}"
        for category, names in material.own.benchmarks.items()
    )
