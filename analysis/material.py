"""What figures and tables are made of: published lines, own ones, or both; with the options that choose."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from analysis.answers import NO_ANSWERS, Answers
from analysis.command import Hints, add_store_options, first_look, read_lines
from analysis.lines import DESIGN, Line, OwnLines
from analysis.missing import cells_of, fill_notes
from analysis.published import CATEGORIES


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a figure or table is made of, and how its title says where that is from."""

    lines: tuple[Line, ...]
    """Published ones, then own ones."""
    title: str
    subtitle: str
    """What all own lines share; empty without own ones."""
    own: OwnLines | None
    both: bool
    """Whether own numbers stand beside published ones."""

    @property
    def published(self) -> tuple[Line, ...]:
        """The paper's."""
        return tuple(line for line in self.lines if line.source == "published")

    @property
    def answers(self) -> Answers:
        """What is behind the own lines."""
        return self.own.answers if self.own else NO_ANSWERS

    @property
    def partial(self) -> frozenset[str]:
        """Benchmarks of which an own line has the score of a part."""
        own = self.own.lines if self.own else ()
        return frozenset(name for line in own for name, point in line.scores.items() if point.partial)

    def describe(self, published: str, bars: str = "bars: 95 % intervals") -> str:
        """A subtitle: `published` says what the published numbers are, `bars` how own intervals are shown."""
        if self.own is None:
            return published
        own = f"{self.subtitle}, {bars}" if bars else self.subtitle
        return f"published: {published}; own: {own}" if self.both else own


class Source(Protocol):
    """A command, as far as it says where its numbers are from."""

    @property
    def script(self) -> str:
        """Its file in analysis/."""
        ...

    @property
    def fill(self) -> str:
        """Command that makes the results that it shows."""
        ...

    @property
    def beside(self) -> str:
        """How own numbers and published ones are told apart where both are shown."""
        ...


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Give `parser` --published, --both and the choice among own results."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--published", action="store_true", help="the paper's numbers alone")
    which.add_argument("--both", action="store_true", help="own results (scale=paper only) and the paper's")
    add_store_options(parser)


def refuse_idle_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a message where options that choose among own results stand beside --published."""
    if options.published and (options.store or options.only or options.runs or options.proxy != 1):
        parser.error(
            "--published draws the paper's numbers alone; --store, --only, --runs and --proxy choose among "
            "own results"
        )


def read_material(
    command: Source, options: argparse.Namespace, published: Callable[[], tuple[Line, ...]]
) -> Material:
    """Read what `options` choose: the lines that `published` gives, own ones, or both.

    Raises:
        AnalysisError: if there are no own results, or they do not go beside published ones.
    """
    lines = published() if options.published or options.both else ()
    if options.published:
        title = "Published results (Cambrian-1)"
        return Material(lines=lines, title=title, subtitle="", own=None, both=False)
    own = read_lines(
        options.store,
        options.only,
        runs=options.runs,
        both=options.both,
        proxy=options.proxy,
        hints=Hints(program=f"python analysis/{command.script}", fill=command.fill),
    )
    _tell_gaps(own)
    title = f"Own results at the paper's scale, {command.beside}" if options.both else _title(own)
    return Material(
        lines=(*lines, *own.lines),
        title=first_look(options.proxy) + title,
        subtitle=_subtitle(own.lines),
        own=own,
        both=options.both,
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
