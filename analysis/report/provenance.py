"""Where the numbers of a report are from: code, packages, machines, and the digests behind them."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlsplit

from analysis.report.entries import Entries, Entry


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What was noted when the stages of a store were made."""

    fingerprint: str
    """Hash of the digests of all stages: equal for two stores with the same stages."""
    stages: int
    first: str
    """When the oldest stage was made: UTC, ISO 8601; empty if there is none."""
    last: str
    versions: tuple[tuple[str, int], ...]
    """Commit of the code -> stages made with it; with a mark where files differed from it."""
    code: tuple[tuple[str, str, int], ...]
    """Kind, fingerprint of the source that it reaches, stages."""
    packages: tuple[tuple[str, str], ...]
    """Package -> its versions."""
    hosts: tuple[tuple[str, int], ...]
    """Machine -> stages made on it."""
    command: str
    """Makes the report again."""


def read_provenance(entries: Entries, command: str) -> Provenance:
    """Sum up what the manifests in `entries` say of their making."""
    found = list(entries.by_digest.values())
    created = sorted(str(entry.provenance["created"]) for entry in found if "created" in entry.provenance)
    return Provenance(
        fingerprint=hashlib.sha256("\n".join(sorted(entries.by_digest)).encode()).hexdigest(),
        stages=len(found),
        first=created[0] if created else "",
        last=created[-1] if created else "",
        versions=_counted(_version(entry) for entry in found),
        code=tuple(
            (kind, print_, count)
            for (kind, print_), count in sorted(Counter((each.kind, _code(each)) for each in found).items())
        ),
        packages=_packages(found),
        hosts=_counted(str(entry.provenance.get("host", "not noted")) for entry in found),
        command=command,
    )


def report_command(
    store: str | None, only: Sequence[str], runs: PurePath | None, data: PurePath | None
) -> str:
    """Write the command that makes the report again, without the folders above the places it names."""
    words = ["python", "-m", "analysis.report"]
    if store is not None:
        words += ["--store", name_of(store)]
    if only:
        words += ["--only", *only]
    if runs is not None:
        words += ["--runs", name_of(str(runs))]
    if data is not None:
        words += ["--data", name_of(str(data))]
    return shlex.join(words)


def name_of(place: str) -> str:
    """Name a directory or URL without the folders above it and without what opens it."""
    if "://" in place:
        parts = urlsplit(place)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    path = PurePath(place)
    return f".../{path.name}" if path.is_absolute() else place


def _version(entry: Entry) -> str:
    git = entry.provenance.get("git")
    if not git:
        return "not in a repository"
    return f"{git['revision'][:12]}{' with local changes' if git.get('dirty') else ''}"


def _code(entry: Entry) -> str:
    return str(entry.manifest.get("code", {}).get("fingerprint", "not noted"))[:12]


def _packages(found: Sequence[Entry]) -> tuple[tuple[str, str], ...]:
    versions: dict[str, set[str]] = {}
    for entry in found:
        noted = dict(entry.provenance.get("packages", {}))
        if "python" in entry.provenance:
            noted["python"] = entry.provenance["python"]
        for name, version in noted.items():
            versions.setdefault(str(name), set()).add(str(version))
    return tuple((name, ", ".join(sorted(versions[name]))) for name in sorted(versions))


def _counted(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))
