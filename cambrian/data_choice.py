"""Reading the choice of training data: the study's by name, or one's own (adapter=files, instruct=files)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.data.catalog import CatalogRow, find_sources, read_catalog
from cambrian.data.mixing import Mixture, count_rows
from cambrian.data.places import SUFFIXES, find_place
from cambrian.errand import ask
from cambrian.errors import UserError, unknown_name
from cambrian.recipe import RESPONSE_FORMATS, WITH, WITHOUT, Data, Part
from cambrian.schema import read
from cambrian.sections import Sections

if TYPE_CHECKING:
    from cambrian.config import Notes


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """What this machine has, and what it tolerates."""

    place: Path | None
    tolerated: float
    download: bool


def read_data(
    notes: Notes,
    node: Mapping[str, Any],
    at: Sections,
    axis: str,
    real: bool,
    place: Path | None,
    tolerated: float,
    download: bool,
) -> Data | None:
    """Read what a choice of the `axis` adapter or instruct says for a scale.

    Args:
        notes: takes what is wrong or missing.
        node: the choice.
        at: which sections the scale reads, and which part of the study's data sets it uses.
        axis: adapter or instruct.
        real: whether the scale has files at all; the lab has none.
        place: directory with the data sets of this machine.
        tolerated: largest part of a data set's rows that may be left out.
        download: whether a data set of the hub may be fetched.
    """
    own = isinstance(node.get("source"), str)
    examples = node["examples"] if own else at.find(node["examples"])
    if (own and not real) or (not own and examples is None):
        notes.missing.append(f"{axis} '{node['name']}' does not exist at scale={at.scale}")
        return None
    source = node["source"] if own else at.find(node.get("source", {}))
    if own and place is None and "/" not in node["source"]:
        notes.faults.append(f"{axis}={node['name']} takes your own files: say where they are, data=DIRECTORY")
        return None
    part = 1.0 if own else at.part_of(node["examples"])
    values = {"name": source if own else node["name"], "examples": examples or 0, "source": source}
    values["response_format"] = node.get("response_format", WITH)
    if values["response_format"] == WITHOUT:
        if not real:
            what = "response_format 'without', which is about the study's sources,"
            notes.missing.append(f"{what} does not exist at scale={at.scale}")
            return None
        values["name"] += "-no-format"  # results are told apart by it
    data = read(Data, values, axis, notes.faults)
    if data is None:
        return None
    if not (own or data.examples):
        return _part(data, part)
    machine = _Machine(place=place, tolerated=tolerated, download=download)
    try:
        mixture = node.get("mixture") if real else None
        return _part(_found(data, machine, own=own, real=real, mixture=mixture), part)
    except UserError as error:
        notes.faults.append(f"{axis} '{data.name}': {error}")
        return None


def _part(data: Data, part: float) -> Data:
    """Take a part of the examples; 0M has none of any."""
    return data if part == 1 else replace(data, examples=round(part * data.examples), part=part)


def files_of(data: Iterable[Data]) -> dict[str, str]:
    """Where the files of data sets are, by their content."""
    return {part.content: part.file for one in data for part in (one, *one.parts) if part.content}


def _found(
    data: Data, machine: _Machine, *, own: bool, real: bool, mixture: Mapping[str, Any] | None
) -> Data:
    """Name a data set by what its file holds, or those of its sources, as far as they are on this machine.

    Raises:
        UserError: if one's own is not there, too many rows cannot be used, or a setting does not fit.
    """
    if data.response_format not in RESPONSE_FORMATS:
        raise UserError(unknown_name("response_format", data.response_format, RESPONSE_FORMATS))
    if not real or data.source is None:
        return data
    place = find_place(machine.place, data.source)
    if place is not None or (own and "/" in data.source):
        if data.response_format == WITHOUT:
            raise UserError(f"response_format=without takes sources one by one, but {place} is the whole")
        facts = _survey((data.source if place is None else str(place),), machine)[0]
        return replace(
            data,
            examples=min(data.examples or facts["usable"], facts["usable"]),
            content=facts["content"],
            left_out=facts["left_out"],
            file=facts["file"],
            summary=facts["summary"],
        )
    if own:
        raise UserError(
            f"there is no {machine.place}/{data.source}{' or '.join(SUFFIXES)}; name another source"
        )
    return data if mixture is None else _mixed(data, _read_mixture(mixture), machine)


def _read_mixture(node: Mapping[str, Any]) -> Mixture:
    faults: list[str] = []
    names = node.get("sources", ())
    mixture = read(
        Mixture,
        {**node, "sources": find_sources(names if isinstance(names, str) else list(names))},
        "mixture",
        faults,
    )
    if mixture is None:
        raise UserError("; ".join(faults))
    return mixture


def _mixed(data: Data, mixture: Mixture, machine: _Machine) -> Data:
    """Mix a data set from its sources, or say what it would be mixed from."""
    catalog = read_catalog()
    rows = [catalog[name] for name in mixture.sources]
    categories = {row.file: row.category for row in rows}
    places = {row.file: find_place(machine.place, row.file) for row in rows}
    absent = tuple(name for name, place in places.items() if place is None)
    if absent:
        published = {row.file: max(row.rows, (mixture.caps or {}).get(row.file, 0)) for row in rows}
        counts = count_rows(mixture, published, categories, data.examples)
        some = len(absent) < len(rows)
        return replace(data, absent=absent if some else (), counts=counts)
    facts = dict(zip(places, _survey(tuple(str(place) for place in places.values()), machine), strict=True))
    available = {name: fact["usable"] for name, fact in facts.items()}
    counts = count_rows(mixture, available, categories, data.examples)
    parts = tuple(
        _source(catalog[name], counts[name], facts[name], data.response_format)
        for name in counts
        if counts[name]
    )
    return replace(data, examples=min(data.examples, sum(counts.values())), parts=parts, counts=counts)


def _source(row: CatalogRow, examples: int, facts: Mapping[str, Any], response_format: str) -> Part:
    return Part(
        name=row.file,
        examples=examples,
        content=facts["content"],
        left_out=facts["left_out"],
        file=facts["file"],
        summary=facts["summary"],
        response_format=row.response_format if response_format == WITH else (),
    )


def _survey(sources: Sequence[str], machine: _Machine) -> list[dict[str, Any]]:
    """Ask what is in data sets.

    Raises:
        UserError: if one is not there, or too many rows of one cannot be used.
    """
    found = json.loads(_answer(tuple(sources), machine.download))
    for facts in found:
        usable, faulty = facts["usable"], facts["faulty"]
        if faulty > machine.tolerated * (usable + faulty):
            raise UserError(
                f"more than {machine.tolerated:.1%} of the rows cannot be used: {facts['summary']}. Mend the "
                "file or its images, or allow more with data_faults=FRACTION"
            )
    return found


@lru_cache(maxsize=64)
def _answer(sources: tuple[str, ...], download: bool) -> str:
    return ask("cambrian.data.survey", json.dumps({"sources": sources, "download": download}))
