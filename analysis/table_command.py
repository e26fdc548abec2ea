"""What the commands of all tables share: options, which rows, files, exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.errors import AnalysisError
from analysis.lines import Line
from analysis.material import Material, add_source_options, read_material, refuse_idle_options
from analysis.published import AVERAGE, CATEGORIES, benchmark_names, benchmarks
from analysis.results import ROOT
from analysis.statistics import Estimate
from analysis.style import write_csv, write_text
from analysis.tabulation import Row, Table, to_frame, to_latex, to_markdown, to_text


@dataclass(frozen=True, kw_only=True)
class TableCommand:
    """One table of the paper as a command."""

    name: str
    """Of its module and its files."""
    about: str
    """Docstring of its module: the text of `--help`."""
    subject: str
    """What it is about, for its title."""
    head: str
    columns: Callable[[Material], Mapping[str, str]]
    published: Callable[[], tuple[Row, ...]]
    """The paper's rows."""
    own: Callable[[Material, argparse.Namespace], tuple[Row, ...]]
    """Rows of own results.

    Raises AnalysisError if there are none.
    """
    setting: str
    """What the paper's rows share."""
    fill: str
    """Command that makes the results that it shows."""

    @property
    def script(self) -> str:
        """Its file in analysis/."""
        return f"{self.name}.py"

    @property
    def beside(self) -> str:
        """How published numbers are told from own ones."""
        return "below the published ones"


def run_table(command: TableCommand, arguments: Sequence[str] | None = None) -> int:
    """Print the table, write its files and print where they are; 2 if there is nothing to show."""
    parser = argparse.ArgumentParser(
        description=command.about, formatter_class=argparse.RawDescriptionHelpFormatter, prog=command.script
    )
    add_source_options(parser)
    add_table_out(parser, command.name)
    options = parser.parse_args(arguments)
    refuse_idle_options(parser, options)
    try:
        table = _table(command, options)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    show_table(table, options.out, command.name)
    return 0


def run_file_table(
    name: str,
    about: str,
    option: str,
    arguments: Sequence[str] | None,
    *,
    published: Callable[[], Table],
    own: Callable[[Sequence[Path]], Table],
) -> int:
    """Run a table that is no part of a store: of the paper, or of the files of `option`; 2 if there is none.

    `name` is that of its module and its files, `about` the text of `--help`.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, prog=f"{name}.py"
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--published", action="store_true", help="the paper's numbers")
    which.add_argument(
        option, dest="files", nargs="+", type=Path, metavar="FILE", help="own numbers, as above"
    )
    add_table_out(parser, name)
    options = parser.parse_args(arguments)
    try:
        table = published() if options.published else own(options.files)
    except AnalysisError as error:
        print(error, file=sys.stderr)
        return 2
    show_table(table, options.out, name)
    return 0


def add_table_out(parser: argparse.ArgumentParser, name: str) -> None:
    """Give `parser` --out."""
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "figures",
        metavar="DIR",
        help=f"takes {name}.md, .tex and .csv (default: figures/ of this project)",
    )


def show_table(table: Table, out: Path, name: str) -> None:
    """Print a table, write its files and print where they are."""
    print(f"{table.title}\n{table.subtitle}\n\n{to_text(table)}\n\nThe table is in:")
    print(*(f"  {path}" for path in write_table(table, out, name)), sep="\n")


def write_table(table: Table, out: Path, name: str) -> list[Path]:
    """Write NAME.md, .tex and .csv into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    write_text(to_markdown(table), out / f"{name}.md")
    write_text(to_latex(table), out / f"{name}.tex")
    write_csv(to_frame(table), out / f"{name}.csv")
    return [out / f"{name}.{kind}" for kind in ("md", "tex", "csv")]


def _table(command: TableCommand, options: argparse.Namespace) -> Table:
    material = read_material(command, options, tuple)
    rows = command.published() if material.own is None or material.both else ()
    if material.own is not None:
        own = command.own(material, options)
        rows = (*rows, *(replace(row, label=f"{row.label} (own)") for row in own)) if rows else own
    return Table(
        title=f"{command.subject}: {material.title[0].lower()}{material.title[1:]}",
        subtitle=material.describe(command.setting),
        head=command.head,
        columns={
            column: name
            for column, name in command.columns(material).items()
            if any(column in row.scores for row in rows)
        },
        rows=rows,
        answers=material.answers,
    )


def category_columns(_: Material) -> Mapping[str, str]:
    """The four categories and their mean."""
    return {**CATEGORIES, AVERAGE: "Average"}


def benchmark_columns(material: Material) -> Mapping[str, str]:
    """The mean of the categories, then every benchmark in the order of the categories."""
    groups = benchmarks() if material.own is None else material.own.benchmarks
    names = benchmark_names()
    return {AVERAGE: "Average", **{each: names.get(each, each) for ids in groups.values() for each in ids}}


def row_of(line: Line, label: str, *, group: str = "") -> Row:
    """The scores of `line`: its categories, their mean and its benchmarks."""
    points = {**line.points, **line.scores}
    scores = {name: point.estimate for name, point in points.items()}
    if line.average is not None:
        scores[AVERAGE] = line.average
    return Row(
        label=label,
        scores=scores,
        group=group,
        source=line.source,
        partial=frozenset(name for name, point in points.items() if point.partial),
        runs=line.runs,
    )


def published_scores(means: Mapping[str, float]) -> dict[str, Estimate]:
    """Published numbers, which have no intervals."""
    return {name: Estimate(score=value) for name, value in means.items()}


def own_lines_of(material: Material) -> list[Line]:
    """The own lines among the material."""
    return [line for line in material.lines if line.source == "own"]


def none_to_show(command: str, what: str, fill: str) -> AnalysisError:
    """Say that own results hold nothing for this table."""
    return AnalysisError(
        f"no result {what}\n  make some: {fill}\n"
        f"  or the paper's numbers: python analysis/{command}.py --published"
    )
