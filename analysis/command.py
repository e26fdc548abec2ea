"""What the commands share: which store, which of its results, and what the reader must know about them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.errors import AnalysisError
from analysis.lines import OwnLines, own_lines
from analysis.results import AXES, GENERATE, choose, open_store, parts, read_results
from analysis.seeds import with_answers
from analysis.units import UNITS_FILE, Credits, read_units

FIRST_RUN = "python run.py -m encoder=siglip,dinov2 connector=sva"


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What the messages of a command send the reader to."""

    program: str = "python analysis/plot_fig6.py"
    """Shows published numbers with --published, own ones without."""
    fill: str = FIRST_RUN
    """Makes results that the command can show."""


HINTS = Hints()


def add_store_options(parser: argparse.ArgumentParser, *, first_looks: bool = True) -> None:
    """Give `parser` --store, --only, --runs and, for commands that show `first_looks`, --proxy."""
    parser.add_argument(
        "--store",
        metavar="PLACE",
        help="directory or URL of finished stages (default: $CAMBRIAN_STORE, else runs/ of this project)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="AXIS=VALUE",
        help=f"results with these design choices; axes: {', '.join(AXES)}",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="FILE",
        help="only these models: a file with the digests of their tune stages, one per line",
    )
    if first_looks:
        parser.add_argument(
            "--proxy",
            type=float,
            default=1.0,
            metavar="PART",
            help="first looks at this part of the data, such as 0.1, in place of results",
        )


def read_lines(
    store: str | None,
    only: list[str],
    *,
    runs: Path | None = None,
    both: bool = False,
    proxy: float = 1.0,
    hints: Hints = HINTS,
) -> OwnLines:
    """Lines of the results in `store` that `only` and the list in `runs` leave, all of one scale.

    With `proxy` below 1 they are first looks at this part of the data.

    Warnings go to stderr.

    Raises:
        AnalysisError: if there are none, if they are of several scales, or not of the paper's when `both`.
    """
    frame = read_frame(store, only, runs=runs, both=both, proxy=proxy, hints=hints)
    own = with_answers(own_lines(frame, as_published=both), frame, lambda: _credits(frame, store))
    for note in own.notes:
        print(f"note: {note}", file=sys.stderr)
    if not any(line.points for line in own.lines):
        raise AnalysisError("no run has all benchmarks of any category, so there is no mean to show")
    return own


def _credits(frame: pd.DataFrame, store: str | None) -> tuple[Credits, ...]:
    """What the evaluations in `frame` answered; stderr says which have no credits."""
    with open_store(store, (UNITS_FILE,)) as place:
        units = read_units(place, frame)
    if units.problems:
        print(f"warning: {_count(len(units.problems))} without credits of single questions:", file=sys.stderr)
        print(*(f"  - {problem}" for problem in units.problems), sep="\n", file=sys.stderr)
    return units.credits


def read_frame(
    store: str | None,
    only: list[str],
    *,
    runs: Path | None = None,
    both: bool = False,
    proxy: float = 1.0,
    hints: Hints = HINTS,
) -> pd.DataFrame:
    """Evaluations (columns of results.Row) behind what `read_lines` gives, chosen and refused alike.

    Raises:
        AnalysisError: if there are none, if they are of several scales, or not of the paper's when `both`.
    """
    with open_store(store) as place:
        return _read_chosen(place, store, only, runs=runs, both=both, proxy=proxy, hints=hints)


def read_credits(
    store: str | None,
    only: list[str],
    *,
    runs: Path | None = None,
    proxy: float = 1.0,
    required: bool = True,
    hints: Hints = HINTS,
) -> tuple[pd.DataFrame, tuple[Credits, ...]]:
    """Evaluations (columns of results.Row) as of `read_frame`, and the credits behind their scores.

    Evaluations without credits are in the first alone; stderr says which, and how to make them again.

    Raises:
        AnalysisError: if there are none, if they are of several scales, or if credits are `required` and none
            has any.
    """
    with open_store(store, (UNITS_FILE,)) as place:
        frame = _read_chosen(place, store, only, runs=runs, both=False, proxy=proxy, hints=hints)
        units = read_units(place, frame)
    problems = "\n".join(f"  - {problem}" for problem in units.problems)
    if required and not units.credits:
        raise AnalysisError(f"no evaluation has the credits of its questions:\n{problems}")
    if problems:
        print(
            f"warning: {_count(len(units.problems))} without credits, left out:\n{problems}", file=sys.stderr
        )
    return frame, units.credits


def _read_chosen(
    place: Path,
    store: str | None,
    only: list[str],
    *,
    runs: Path | None,
    both: bool,
    proxy: float,
    hints: Hints,
) -> pd.DataFrame:
    answering = chosen_axes(only).get("answering", GENERATE)
    results = read_results(place, proxy=proxy, answering=answering)
    if results.problems:
        print(f"warning: {_count(len(results.problems))} could not be read, left out:", file=sys.stderr)
        print(*(f"  - {problem}" for problem in results.problems), sep="\n", file=sys.stderr)
    if results.superseded:
        print(
            f"note: {_count(results.superseded)} left out for newer ones of the same model", file=sys.stderr
        )
    for name, why in results.unscored.items():
        print(f"note: {name} was asked and has no score: {why}", file=sys.stderr)
    if results.frame.empty:
        raise AnalysisError(
            f"no {_what(proxy)} in {store or place}\n"
            f"  make some:                {hints.fill}\n"
            f"  or look in another store: --store PLACE\n"
            f"  or the paper's numbers:   {hints.program} --published"
        )
    frame = chosen(results.frame, only, runs)
    scales = sorted(set(frame["scale"]))
    if both and scales != ["paper"]:
        raise AnalysisError(
            f"--both is for results at scale=paper, and these have scale={', '.join(scales)}: other "
            "models, data and benchmarks than the paper's, so their scores do not belong on its axis.\n"
            f"  draw them alone: {hints.program}\n"
            f"  the paper alone: {hints.program} --published"
        )
    if len(scales) > 1:
        raise AnalysisError(
            f"results of different scales ({', '.join(scales)}) share no axis; choose one, such as "
            f"--only scale={scales[0]}"
        )
    _tell_what_is_missing(frame, both=both, hints=hints)
    return frame


def _tell_what_is_missing(frame: pd.DataFrame, *, both: bool, hints: Hints) -> None:
    """Say of which benchmarks not all was asked or could be shown; of a part there is no published number."""
    asked = [f"{name}: {share} questions" for name, share in parts(frame).items()]
    if asked and both:
        raise AnalysisError(
            "--both is for scores of whole benchmarks, as the paper's are, and these are of parts:\n"
            + "\n".join(f"  - {line}" for line in asked)
            + f"\n  draw them alone: {hints.program}\n"
            "  or ask everything: benchmarks.paper.questions=0"
        )
    lines = [f"partial: {line}" for line in asked]
    lost = frame[frame["unanswered"] > 0].groupby("benchmark")["unanswered"].max()
    lines += [f"{name}: {count:,} questions without a picture count as wrong" for name, count in lost.items()]
    print(*(f"note: {line}\n" for line in lines), sep="", end="", file=sys.stderr)


def chosen(frame: pd.DataFrame, only: list[str], runs: Path | None) -> pd.DataFrame:
    """Rows of `frame` (columns of results.Row) that --only and the list in `runs` leave.

    Raises:
        AnalysisError: for a choice or a list that fits nothing.
    """
    frame = frame if runs is None else _listed(frame, runs)
    return choose(frame, chosen_axes(only))


def first_look(proxy: float) -> str:
    """What stands over numbers that are no results; empty over results."""
    return "" if proxy == 1 else f"First look at {100 * proxy:g} % of the data, no result. "


def _what(proxy: float) -> str:
    return "results" if proxy == 1 else f"first looks at {100 * proxy:g} % of the data"


def _listed(frame: pd.DataFrame, runs: Path) -> pd.DataFrame:
    try:
        digests = runs.read_text(encoding="utf-8").split()
    except OSError as error:
        raise AnalysisError(f"cannot read --runs {runs}: {error.strerror}") from error
    frame = frame[frame["run"].isin(digests)].reset_index(drop=True)
    if frame.empty:
        raise AnalysisError(f"none of the {len(digests)} models in {runs} has a result")
    return frame


def chosen_axes(texts: Sequence[str]) -> dict[str, str]:
    """Axis -> value of `texts` like `connector=sva`.

    Raises:
        AnalysisError: for a text of another form.
    """
    choices = {}
    for text in texts:
        axis, equals, value = text.partition("=")
        if not (axis and equals and value):
            raise AnalysisError(f"a choice is AXIS=VALUE, such as connector=sva; got '{text}'")
        choices[axis] = value
    return choices


def _count(evaluations: int) -> str:
    return f"{evaluations} evaluation{'s' if evaluations != 1 else ''}"
