"""Commands that make results which are missing, or make them again: the fewest, and no other results."""

from __future__ import annotations

import math
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.findings.catalog import backbones
from analysis.results import AXES, GENERATE, ROOT
from analysis.text import by_size, cut_short
from cambrian.benchmarks.suite import select

SETTINGS = "settings"
"""What else a design needs on the command line: words with their keys, in place of choices of one axis."""
KEYS = (
    *("encoder", "connector", "adapter", "vision", "vision.blocks", "instruct", "llm", "scale"),
    *(SETTINGS, "proxy", "benchmarks.answering", "seed"),
)
"""Of a command, in the order of its words."""
DEFAULTS: Mapping[str, str] = {"proxy": "1", "benchmarks.answering": GENERATE, "seed": "0"}
"""What a command does where it does not say: such choices are left out where they stand alone."""
GROUPS = ("encoder", "connector", "adapter", "instruct", "llm")
"""Axes whose choices are files in conf/."""
SUITES_BY_DEFAULT: Mapping[str, str] = {"lab": "lab", "paper": "paper16"}
"""Section of conf/benchmarks/study.yaml -> what it asks."""

MOST = 6
"""Commands that are printed; a reader wants the first, not all."""
SIDE = 24
"""Visual tokens along a side of several encoders together, and SVA's queries, as in the paper."""
FINE_GRIDS: Mapping[str, int] = {"convnext": 96}
"""Encoders whose grid SVA sees finer where there are several, as in sweeps/table_connectors.yaml."""

Cell = Mapping[str, str]
"""Axis -> choice, as results name it: one run. `proxy` and `answering` need not be there."""


def cell_of(row: Mapping[str, Any]) -> Cell:
    """The run of an evaluation (columns of results.Row)."""
    return {**{axis: str(row[axis]) for axis in AXES}, "proxy": f"{row['proxy']:g}"}


def lacking(frame: pd.DataFrame, wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Digest of a model in `frame` (columns of results.Row) -> the benchmarks of `wanted` that it lacks."""
    asked = frame.groupby("run", sort=True)["benchmark"].agg(set)
    gaps = {str(run): tuple(sorted(set(wanted) - there)) for run, there in asked.items()}
    return {run: names for run, names in gaps.items() if names}


def cells_of_models(frame: pd.DataFrame, runs: Iterable[str]) -> list[Cell]:
    """The runs that made the models `runs` of `frame` (columns of results.Row)."""
    rows = frame[frame["run"].isin(list(runs))].drop_duplicates("run")
    return [cell_of({str(name): value for name, value in row.items()}) for row in rows.to_dict("records")]


def fill_notes(what: str, cells: Iterable[Cell]) -> tuple[str, ...]:
    """Say that `what` is missing, and the commands that make `cells`; nothing if there are none."""
    lines = command_lines(cells)
    return ("\n  ".join([f"missing: {what}; to fill it:", *lines]),) if lines else ()


def command_lines(cells: Iterable[Cell]) -> list[str]:
    """Commands that make `cells`, not too many to read, and what they cannot say."""
    cells = list(cells)
    odd = sorted({f"{axis} {name}" for cell in cells for axis in GROUPS for name in _unknown(cell, axis)})
    needed = [f"with the settings that were given for {', '.join(odd)}, which no file in conf/ has"]
    return [*cut_short(fill_commands(cells), MOST), *(needed if odd else [])]


def fill_commands(cells: Iterable[Cell]) -> list[str]:
    """The fewest commands that make `cells` and no other run, as far as joining axis by axis finds them."""
    grids = {tuple((word,) for word in _words(cell)) for cell in cells}
    for place, axis in enumerate(KEYS):
        if axis in ("vision.blocks", SETTINGS):
            continue  # they belong to single choices of other axes, so that a list of them is no grid
        joined: dict[tuple[tuple[str, ...], ...], set[str]] = defaultdict(set)
        for grid in grids:
            joined[grid[:place] + grid[place + 1 :]].update(grid[place])
        grids = {
            (*rest[:place], tuple(sorted(values, key=by_size)), *rest[place:])
            for rest, values in joined.items()
        }
    return sorted(_command(grid) for grid in grids)


def command_of(cell: Cell) -> str:
    """The command that makes one run."""
    (command,) = fill_commands([cell])
    return command


def run_command(words: Sequence[str], *, several: bool) -> str:
    """A command line of run.py that a shell takes as it is; `several` runs are a sweep."""
    return shlex.join(["python", "run.py", *(["-m"] if several else []), *words])


def _words(cell: Cell) -> list[str]:
    """Choices of the command line for `cell`, axis by axis; empty for what it need not say."""
    vision, _, blocks = cell["vision"].partition(" last ")
    encoders = cell["encoder"].split("+")
    lab = cell["scale"] == "lab"  # the default, and it has one LLM, which cannot be chosen
    answering = cell.get("answering", GENERATE)
    settings = [] if lab else _settings(encoders, cell["connector"])
    settings += [] if answering == GENERATE else _closed_benchmarks("lab" if lab else "paper")
    words = {
        "proxy": DEFAULTS["proxy"],
        **cell,
        "encoder": encoders[0] if len(encoders) == 1 else f"[{','.join(encoders)}]",
        "vision": vision,
        "vision.blocks": blocks,
        "llm": "" if lab else cell["llm"],
        "scale": "" if lab else cell["scale"],
        SETTINGS: " ".join(settings),
        "benchmarks.answering": answering,
    }
    return [words[axis] for axis in KEYS]


def _settings(encoders: Sequence[str], connector: str) -> list[str]:
    """Settings without which real encoders and a connector do not fit together."""
    together = len(encoders) > 1
    side = [f"connector.paper.side={SIDE}"] if together else []
    if not connector.startswith("sva"):
        return side
    catalog = backbones()
    own = {name: math.isqrt(catalog[name].visual_tokens) for name in encoders if name in catalog}
    grids = {name: SIDE for name, grid in own.items() if grid % SIDE}
    if together:
        grids |= {name: grid for name, grid in FINE_GRIDS.items() if name in encoders}
    return side + [f"encoders.{name}.paper.grid={grid}" for name, grid in grids.items()]


def _closed_benchmarks(section: str) -> list[str]:
    """The benchmarks that can be answered by choosing, if not all that are asked by default can."""
    rows = select([SUITES_BY_DEFAULT[section]])
    closed = [row.id for row in rows if row.closed]
    return [f"benchmarks.{section}.include=[{','.join(closed)}]"] if len(closed) < len(rows) else []


def _unknown(cell: Cell, axis: str) -> list[str]:
    """Choices of `axis` that were made by settings, and not by their names alone."""
    names = [] if axis == "llm" and cell["scale"] == "lab" else cell[axis].split("+")
    return [name for name in names if not (ROOT / "conf" / axis / f"{name}.yaml").is_file()]


def _command(grid: Sequence[Sequence[str]]) -> str:
    words = []
    for axis, values in zip(KEYS, grid, strict=True):
        text = ",".join(values)
        if axis == SETTINGS:
            words += text.split()
        elif text not in ("", DEFAULTS.get(axis)):
            words.append(f"{axis}={text}")
    return run_command(words, several=any(len(values) > 1 for values in grid))
