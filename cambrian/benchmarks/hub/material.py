"""The questions of a benchmark of the hub and their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.places import explain_absence, fetch, find_data
from cambrian.benchmarks.hub.source import Record
from cambrian.benchmarks.hub.tables import (
    PictureTable,
    name_of,
    open_table,
    picture_columns,
    read_below,
    records,
)
from cambrian.benchmarks.material import Shown
from cambrian.benchmarks.records import Prediction, Question
from cambrian.benchmarks.sampling import sample
from cambrian.benchmarks.scoring import score
from cambrian.data.llava_corpus import DECODERS
from cambrian.data.pictures import Size, View, prepare, read_picture
from cambrian.errors import BadImageError, DataError, UserError
from cambrian.runtime import Runtime

_CACHE = "datasets"


@dataclass(frozen=True, kw_only=True)
class HubMaterial:
    """Questions of a benchmark, and where their pictures are."""

    benchmark: HubBenchmark
    folder: Path
    questions: Sequence[Question]
    total: int
    tables: Sequence[PictureTable]
    places: Mapping[str, tuple[int, int]]
    """Name of a picture -> table and record that hold it; others are files below the folder."""
    numbers: Mapping[int, str]
    """Number of a record, counted through all configurations -> id of the question that it became."""
    records: int
    """How many there are."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Say which folder was read; in a cache it is named after the commit."""
        return {"questions_from": str(self.folder)}

    def show(self, names: Sequence[str], views: Sequence[View]) -> Shown:
        """Read and decode pictures, several at a time."""
        with ThreadPoolExecutor(DECODERS) as pool:
            made = list(pool.map(lambda name: self._make(name, views), names))
        good = [(name, one) for name, one in zip(names, made, strict=True) if not isinstance(one, str)]
        return Shown(
            pictures={view: np.stack([one[0][view] for _, one in good]) for view in views} if good else {},
            places={name: index for index, (name, _) in enumerate(good)},
            sizes=[one[1] for _, one in good],
            faults={name: one for name, one in zip(names, made, strict=True) if isinstance(one, str)},
        )

    def _make(self, name: str, views: Sequence[View]) -> tuple[dict[View, np.ndarray], Size] | str:
        """Prepare one picture, or say why it cannot be."""
        try:
            content = self.content(name)
            if content is None:
                return "is missing"
            picture = read_picture(content, name)
            return prepare(picture, views), picture.size
        except BadImageError as fault:
            return fault.reason

    def content(self, name: str) -> bytes | None:
        """Give the bytes of a picture; None if its record has none.

        Raises:
            BadImageError: if it is a file that is not there.
        """
        if name in self.places:
            table, number = self.places[name]
            return self.tables[table].content(number)
        path = self.benchmark.pictures.path
        return read_below(self.folder, path.format(name)) if path else None


def open_hub_material(
    benchmark: HubBenchmark, runtime: Runtime, *, content: str, n: int, seed: int
) -> HubMaterial:
    """Open the data of a benchmark and read its questions, of which `n` are asked (0: all).

    Raises:
        UserError: if they are not on this machine and may not be fetched.
        DataError: if they are not what they should be.
    """
    folder = find_data(benchmark, runtime.data, content)
    if folder is None:
        if content or not runtime.download:
            raise UserError(explain_absence(benchmark, runtime.data))
        folder = fetch(benchmark.data, benchmark.pictures.config)
    reader = _Reader(benchmark, folder, runtime.cache / _CACHE)
    found = reader.read()
    asked = sample(found, n, seed)
    _check(benchmark, folder, asked)
    return HubMaterial(
        benchmark=benchmark,
        folder=folder,
        questions=asked,
        total=max(len(found), benchmark.questions),
        tables=reader.tables,
        places=reader.places,
        numbers=reader.numbers,
        records=reader.records,
    )


def _check(benchmark: HubBenchmark, folder: Path, asked: Sequence[Question]) -> None:
    """See to it that answers can be scored, before hours are spent on them."""
    if not asked:
        raise DataError(f"{benchmark.id}: {folder} holds no question of it")
    if benchmark.unscored:
        return
    blank = (
        Prediction(id=question.id, vision=vision, prompt="", raw="")
        for question in asked
        for vision in (True, False)
    )
    score(benchmark, asked, blank)


class _Reader:
    """Reads the questions of all configurations and finds their pictures."""

    def __init__(self, benchmark: HubBenchmark, folder: Path, cache: Path) -> None:
        self.benchmark, self.folder, self.cache = benchmark, folder, cache
        self.tables: list[PictureTable] = []
        self.places: dict[str, tuple[int, int]] = {}
        self.numbers: dict[int, str] = {}
        self.records = 0

    def read(self) -> list[Question]:
        """Read all questions, in the order of the data set."""
        found = [question for config in self.benchmark.data.configs for question in self._questions(config)]
        if self.benchmark.pictures.config:
            self._find_apart(self.benchmark.pictures.config)
        return found

    def _questions(self, config: str) -> list[Question]:
        pictures = self.benchmark.pictures
        table = open_table(self.folder, self.benchmark, config, self.cache)
        # Pictures that are files may also be in the table, where somebody has put them.
        here = not pictures.config and (not pictures.path or pictures.column in picture_columns(table))
        if here:
            self.tables.append(PictureTable(table, pictures.column, self.folder))
        found = []
        for number, record in enumerate(records(table)):
            content = None
            if here and self.benchmark.text_too and (content := self._content(number)) is None:
                continue
            question = self._adapt(record, self.records + number)
            if question is None:
                continue
            if here and not question.image:
                name = name_of(content or self._content(number) or f"{config} {number}".encode())
                question = replace(question, image=name)
            if here:
                self.places.setdefault(question.image, (len(self.tables) - 1, number))
            self.numbers[self.records + number] = question.id
            found.append(question)
        self.records += len(table)
        return found

    def _content(self, number: int) -> bytes | None:
        """Bytes of the picture of a record, of which only their equality is asked."""
        try:
            return self.tables[-1].content(number)
        except BadImageError as fault:
            return str(fault).encode()

    def _adapt(self, record: Record, number: int) -> Question | None:
        where = f"{self.benchmark.id}: {self.folder}, record {number}"
        try:
            question = self.benchmark.adapter(record, number)
        except KeyError as error:
            raise DataError(f"{where}: no column {error}; it has {', '.join(record)}") from error
        except (ValueError, TypeError, AttributeError, IndexError, SyntaxError) as error:
            raise DataError(f"{where} cannot be read: {error}") from error
        if question is not None and not question.answer and not self.benchmark.unscored:
            raise DataError(f"{where} has no answer; is this a split whose answers are public?")
        return question

    def _find_apart(self, config: str) -> None:
        """Find the pictures of a configuration of their own, by its column `id`."""
        table = open_table(self.folder, self.benchmark, config, self.cache)
        self.tables.append(PictureTable(table, self.benchmark.pictures.column, self.folder))
        for number, record in enumerate(records(table)):
            self.places.setdefault(str(record["id"]), (len(self.tables) - 1, number))
