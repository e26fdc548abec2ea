"""Every finished stage of a store, by its manifest: what it cost, what it is made from, where it lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.stages.base import KINDS


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One finished stage."""

    kind: str
    digest: str
    place: Path
    """Directory of its files."""
    manifest: Mapping[str, Any]

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How it was made; empty where nobody noted it."""
        return self.manifest.get("provenance", {})

    @property
    def inputs(self) -> tuple[str, ...]:
        """Digests of the stages that it was made from."""
        return tuple(self.manifest.get("inputs", {}).values())

    @property
    def seconds(self) -> float:
        """Time that its making took, in seconds of each of its processes together."""
        return float(self.provenance.get("seconds", 0.0)) * int(self.provenance.get("workers", 1))

    @property
    def is_first_look(self) -> bool:
        """Whether it, or what it is made for, saw only a part of the data and gives no result."""
        return float(self.manifest.get("axes", {}).get("proxy", 1.0)) != 1.0


@dataclass(frozen=True, kw_only=True)
class Entries:
    """What a store holds."""

    by_digest: Mapping[str, Entry]
    """In order of kind and digest."""
    problems: tuple[str, ...]
    """Stages other than evaluations whose manifests could not be read, by where they lie below the store."""

    def of_kind(self, kind: str) -> list[Entry]:
        """Give those of one kind, in order of digest."""
        return [entry for entry in self.by_digest.values() if entry.kind == kind]


def read_entries(store: Path) -> Entries:
    """Read all manifests of `store`; a store that does not exist has none."""
    found: dict[str, Entry] = {}
    problems = []
    for kind in KINDS:
        folder = store / kind
        for place in sorted(folder.iterdir()) if folder.is_dir() else []:
            try:
                manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
                if not isinstance(manifest, dict) or manifest.get("digest") != place.name:
                    raise ValueError("the manifest belongs to something else")
            except (OSError, ValueError) as error:
                if kind != "evaluate":  # those are named by whoever reads results
                    problems.append(f"{kind}/{place.name[:12]}: {_reason(error)}")
                continue
            found[place.name] = Entry(kind=kind, digest=place.name, place=place, manifest=manifest)
    return Entries(by_digest=found, problems=tuple(problems))


def _reason(error: Exception) -> str:
    """Say what went wrong without the path, which may be nobody else's business."""
    return error.strerror or "unreadable" if isinstance(error, OSError) else str(error)
