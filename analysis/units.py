"""Own results question by question: what a score is the sum of, for all runs that were asked the same.

score = sum(points * credit) over units. A unit is a question, or the group of questions that is only right
together; units of one cluster (one image) are one draw of a sample.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pandas.api.types import union_categoricals

from analysis.missing import Cell, cell_of
from analysis.published import to_points

UNITS_FILE = "units.arrow"
"""What an evaluation keeps beside its manifest."""
COLUMNS = ("unit", "cluster", "part", "weight", "sighted", "blind")
FULL = b"full"
"""Key of the file's metadata: the score if every credit is 1."""

NUMBERS = ("cluster", "points", "sighted", "blind")
"""Columns of the tidy table besides its texts."""

_TOLERANCE = 1e-3
"""Points by which a sum of credits of single precision may miss the score of the manifest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Credits:
    """The credits of R runs on the same U units of one benchmark, in the order of the units' names."""

    benchmark: str
    category: str
    runs: tuple[str, ...]
    """Digests of the models, sorted."""
    units: NDArray[np.object_]
    """Names (U)."""
    clusters: NDArray[np.intp]
    """Number of each unit's cluster (U), from 0."""
    parts: NDArray[np.object_]
    """What the benchmark tells its units apart by (U)."""
    points: NDArray[np.float64]
    """What a wholly right unit adds to the score, in points (U)."""
    sighted: NDArray[np.float32]
    """Credits with the image (R, U), from 0 to 1."""
    blind: NDArray[np.float32]
    """Credits without it (R, U)."""

    def totals(self, credits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points that each cluster adds to the score: credits (..., U) -> (..., C)."""
        count = int(self.clusters.max()) + 1
        rows = (credits * self.points).reshape(-1, len(self.points))
        sums = np.empty((len(rows), count))
        for total, row in zip(sums, rows, strict=True):
            total[:] = np.bincount(self.clusters, weights=row, minlength=count)
        return sums.reshape(*credits.shape[:-1], count)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An evaluation without usable credits."""

    place: Path
    """Its directory."""
    why: str
    cell: Cell
    """The run that makes it."""

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """What `read_units` found."""

    credits: tuple[Credits, ...]
    """By benchmark; a benchmark comes once for each set of questions that its runs were asked."""
    problems: tuple[Problem, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row per run, benchmark and unit; texts are categoricals, credits of single precision."""
        frames = [_tidy(each) for each in self.credits]
        if not frames:
            return pd.DataFrame(columns=["run", "benchmark", "unit", "part", *NUMBERS])
        texts = {name: union_categoricals([each[name] for each in frames]) for name in frames[0].columns[:4]}
        numbers = {name: np.concatenate([each[name].to_numpy() for each in frames]) for name in NUMBERS}
        return pd.DataFrame({**texts, **numbers})


def read_units(store: Path, frame: pd.DataFrame) -> Units:
    """Read the credits of the evaluations in `frame` (columns of results.Row) from the directory `store`.

    Questions are the same if their names, clusters, parts and weights are, in whatever order they were asked.
    """
    layouts: dict[bytes, tuple[bytes, NDArray[np.intp]]] = {}
    groups: dict[tuple[str, bytes], _Group] = {}
    problems: list[Problem] = []
    for record in frame.sort_values(["benchmark", "run"]).to_dict(orient="records"):
        row = {str(name): value for name, value in record.items()}
        place = store / "evaluate" / str(row["digest"]) / UNITS_FILE
        try:
            table = _read(place)
            key, order = _layout(table, layouts)
            sighted, blind = (table[name].to_numpy()[order] for name in ("sighted", "blind"))
            asked = (str(row["benchmark"]), key)
            if asked not in groups:
                groups[asked] = _Group.of(table, order, row)
            group = groups[asked]
            _check(group.points @ sighted, group.points @ blind, row)
        except (OSError, ValueError) as error:
            problems.append(Problem(place=place.parent, why=str(error), cell=cell_of(row)))
            continue
        group.runs.append(str(row["run"]))
        group.sighted.append(sighted)
        group.blind.append(blind)
    found = tuple(group.credits() for group in groups.values() if group.runs)
    return Units(credits=found, problems=tuple(problems))


@dataclass(kw_only=True)
class _Group:
    """Credits of one set of questions, while they are read."""

    benchmark: str
    category: str
    units: NDArray[np.object_]
    clusters: NDArray[np.intp]
    parts: NDArray[np.object_]
    points: NDArray[np.float64]
    runs: list[str]
    sighted: list[NDArray[np.float32]]
    blind: list[NDArray[np.float32]]

    @classmethod
    def of(cls, table: pa.Table, order: NDArray[np.intp], row: dict[str, Any]) -> _Group:
        """Begin with the questions of `table`."""
        benchmark, full = str(row["benchmark"]), float(table.schema.metadata[FULL])
        clusters = table["cluster"].to_pandas().factorize(sort=True)[0]
        return cls(
            benchmark=benchmark,
            category=str(row["category"]),
            units=_texts(table["unit"])[order],
            clusters=clusters[order],
            parts=_texts(table["part"])[order],
            points=table["weight"].to_numpy()[order] * to_points(benchmark, full),
            runs=[],
            sighted=[],
            blind=[],
        )

    def credits(self) -> Credits:
        """All that was read."""
        return Credits(
            benchmark=self.benchmark,
            category=self.category,
            runs=tuple(self.runs),
            units=self.units,
            clusters=self.clusters,
            parts=self.parts,
            points=self.points,
            sighted=np.array(self.sighted),
            blind=np.array(self.blind),
        )


def _read(path: Path) -> pa.Table:
    """One file, checked; ValueError or OSError says what is wrong with it."""
    if not path.is_file():
        raise ValueError(f"no {UNITS_FILE}: evaluated by a version that did not keep its credits")
    try:
        # In one read: opened as a file, Arrow takes four times as long for thousands of small ones.
        table = pa.ipc.open_file(pa.py_buffer(path.read_bytes())).read_all()
    except pa.ArrowInvalid as error:
        raise ValueError(f"{UNITS_FILE} is no Arrow file: {error}") from error
    if tuple(table.column_names) != COLUMNS or FULL not in (table.schema.metadata or {}):
        raise ValueError(f"{UNITS_FILE} has the columns {', '.join(table.column_names)}")
    return table


def _layout(
    table: pa.Table, known: dict[bytes, tuple[bytes, NDArray[np.intp]]]
) -> tuple[bytes, NDArray[np.intp]]:
    """What the questions are (a hash), and the order of their rows by name.

    Most files of a benchmark agree byte for byte, so that names are compared and sorted once for all of them.
    """
    questions = table.select(["unit", "cluster", "part", "weight"])
    fingerprint = _hash([table.schema.metadata[FULL], *_buffers(questions)])
    if fingerprint not in known:
        names = _texts(questions["unit"])
        order = np.argsort(names, kind="stable")
        if len(set(names)) < len(names):
            raise ValueError(f"{UNITS_FILE} has {len(names) - len(set(names))} units twice")
        content = repr(questions.take(pa.array(order)).to_pydict()).encode()
        known[fingerprint] = (_hash([table.schema.metadata[FULL], content]), order)
    return known[fingerprint]


def _buffers(table: pa.Table) -> Iterator[memoryview]:
    for batch in table.to_batches():
        for column in batch.columns:
            yield from (memoryview(buffer) for buffer in column.buffers() if buffer)


def _hash(contents: Iterable[bytes | memoryview]) -> bytes:
    seen = hashlib.blake2b()
    for content in contents:
        seen.update(content)
    return seen.digest()


def _check(score: float, blind: float, row: dict[str, Any]) -> None:
    for name, found in (("score", score), ("blind", blind)):
        unknown = math.isnan(found) and math.isnan(row[name])  # a result from elsewhere, not asked blind
        if not (unknown or abs(found - row[name]) <= _TOLERANCE):
            raise ValueError(f"the credits sum up to {found:.4f}, and the {name} is {row[name]:.4f}")


def _texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    return column.to_pandas().to_numpy(dtype=object)


def _tidy(each: Credits) -> pd.DataFrame:
    runs, units = each.sighted.shape
    part, parts = pd.factorize(each.parts)
    names = {
        "run": pd.Categorical.from_codes(np.repeat(np.arange(runs), units), pd.Index(each.runs)),
        "benchmark": pd.Categorical([each.benchmark] * (runs * units)),
        "unit": pd.Categorical.from_codes(np.tile(np.arange(units), runs), pd.Index(each.units)),
        "part": pd.Categorical.from_codes(np.tile(part, runs), pd.Index(parts)),
    }
    numbers = {
        "cluster": np.tile(each.clusters.astype(np.int32), runs),
        "points": np.tile(each.points.astype(np.float32), runs),
        "sighted": each.sighted.ravel(),
        "blind": each.blind.ravel(),
    }
    return pd.DataFrame({**names, **numbers})
