"""What the stages of a store cost, what sharing them saved, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.report.entries import Entries, Entry
from cambrian.stages.base import KINDS
from cambrian.sweep.records import FailureRecord, read_records
from cambrian.sweep.store import Store


@dataclass(frozen=True, kw_only=True)
class KindCost:
    """All stages of one kind together."""

    kind: str
    stages: int
    first_looks: int
    """Of the stages, those that saw only a part of the data."""
    unshared: int
    """Stages that there would be if each model had made its own."""
    seconds: float
    longest_seconds: float
    longest: str
    """Label of the longest stage."""
    examples: float
    """Examples or questions that were processed."""
    peak_memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """One finished model with all that it is made from and asked, as if nothing were shared."""

    digest: str
    label: str
    train_seconds: float
    """Of its own stages and those before them that are in this store."""
    evaluate_seconds: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What was spent."""

    kinds: tuple[KindCost, ...]
    models: tuple[ModelCost, ...]
    failures: tuple[FailureRecord, ...]

    @property
    def seconds(self) -> float:
        """What all stages took."""
        return sum(kind.seconds for kind in self.kinds)

    @property
    def unshared_seconds(self) -> float:
        """What the models and their evaluations would have taken if each had made its own stages."""
        return sum(model.train_seconds + model.evaluate_seconds for model in self.models)

    @property
    def shared_seconds(self) -> float:
        """What sharing stages among models saved; stages of no finished model count as nothing here."""
        return max(self.unshared_seconds - self.seconds, 0.0)


def read_costs(entries: Entries, store: Path) -> Costs:
    """Sum up what the manifests in `entries` say; failures are those that `store` keeps a record of.

    Seconds are those of processes: a stage of four processes that ran for a minute took four.
    """
    needed = {entry.digest: _ancestors(entry, entries) for entry in entries.of_kind("tune")}
    uses = Counter(stage.kind for before in needed.values() for stage in before)
    return Costs(
        kinds=tuple(
            _kind_cost(kind, found, uses[kind] or len(found))
            for kind in KINDS
            if (found := entries.of_kind(kind))
        ),
        models=tuple(_model_costs(entries, needed)),
        failures=_failures(store),
    )


def _failures(store: Path) -> tuple[FailureRecord, ...]:
    if not (store / "failed").is_dir():
        return ()
    found = read_records(Store(store))
    return tuple(
        sorted(found, key=lambda record: (record.stage["kind"], record.stage["label"], record.digest))
    )


def _kind_cost(kind: str, found: Sequence[Entry], unshared: int) -> KindCost:
    longest = max(found, key=lambda entry: (entry.seconds, entry.digest))
    return KindCost(
        kind=kind,
        stages=len(found),
        first_looks=sum(entry.is_first_look for entry in found),
        unshared=unshared,
        seconds=sum(entry.seconds for entry in found),
        longest_seconds=longest.seconds,
        longest=str(longest.manifest.get("label", longest.digest[:12])),
        examples=sum(float(entry.provenance.get("work", 0)) for entry in found),
        peak_memory_bytes=max(int(entry.provenance.get("peak_memory_bytes", 0)) for entry in found),
    )


def _model_costs(entries: Entries, needed: Mapping[str, Sequence[Entry]]) -> Iterator[ModelCost]:
    asked: dict[str, float] = {}
    for entry in entries.of_kind("evaluate"):
        model = str(entry.manifest.get("inputs", {}).get("model", ""))
        asked[model] = asked.get(model, 0.0) + entry.seconds
    for entry in entries.of_kind("tune"):
        yield ModelCost(
            digest=entry.digest,
            label=str(entry.manifest.get("label", "")),
            train_seconds=entry.seconds + sum(each.seconds for each in needed[entry.digest]),
            evaluate_seconds=asked.get(entry.digest, 0.0),
        )


def _ancestors(entry: Entry, entries: Entries) -> list[Entry]:
    """Give all stages of this store that `entry` depends on; shipped ones are not in it."""
    found: dict[str, Entry] = {}
    waiting = list(entry.inputs)
    while waiting:
        digest = waiting.pop()
        if digest in entries.by_digest and digest not in found:
            found[digest] = entries.by_digest[digest]
            waiting += found[digest].inputs
    return [found[digest] for digest in sorted(found)]
