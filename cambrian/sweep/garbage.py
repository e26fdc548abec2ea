"""What may be removed from a store: what dead processes left, damaged entries, stages that no result needs.

A result is a finished evaluation. It needs every stage it was made from; so do sweeps at work, and failed
stages that `retry` would try again. All else can be made again from the configuration, at its price.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cambrian.errors import UserError
from cambrian.stages.base import KINDS
from cambrian.sweep.catalog import empty_trash
from cambrian.sweep.files import CorruptEntryError, tree_bytes
from cambrian.sweep.layer import Layer
from cambrian.sweep.lease import guard
from cambrian.sweep.presence import SILENCE_SECONDS, Holder, is_working
from cambrian.sweep.records import read_records
from cambrian.sweep.rendering import duration
from cambrian.sweep.store import Store

RESULT = "evaluate"
"""The kind of stage for whose sake all others are made."""
DRAFTS = (
    *("failed/*.json.*", "locks/*.draft", "tracking/*.progress", "tracking/*.draft"),
    "cache/images/*.partial",
)
"""Files that live for moments, unless their process is killed."""


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """One thing that may go."""

    path: Path
    """In the store's directory; what lies in object storage has the place there that it would have here."""
    label: str = ""
    """Of a finished stage."""
    why: str
    is_remote: bool = False
    """Whether it lies in object storage, out of reach of the methods for files."""
    remote_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a manifest says of where a finished stage stands among the others."""

    kind: str
    label: str
    inputs: tuple[str, ...]
    is_own: bool
    """Whether it is not shipped."""
    bytes: int
    """Of its files, without the manifest."""


def collect(store: Store) -> list[Garbage]:
    """Remove what dead processes left. Safe beside running ones; work of unfinished stages stays.

    Returns:
        What was removed.
    """
    found = leftovers(store)
    for garbage in found:
        _remove(store, garbage)
    return found


def leftovers(store: Store) -> list[Garbage]:
    """What dead processes left and nobody will ever read; touches nothing."""
    found = [
        Garbage(path=store.root / stray.key, why=stray.why, is_remote=True, remote_bytes=stray.bytes)
        for stray in store.strays()
    ]
    found += [
        Garbage(path=path, why="result of a process that is gone")
        for path in children(store.root / "staging")
        if not is_working(store.locks, path.name.partition(".")[0], path.name.partition(".")[2])
    ]
    found += [
        Garbage(path=path, why="checkpoints of a finished stage")
        for path in children(store.root / "work")
        if store.own_kind_of(path.name)
    ]
    found += [
        Garbage(path=path, why="lease of a process that is gone")
        for path in children(store.locks)
        if path.suffix == ".lease" and not is_working(store.locks, path.stem)
    ]
    found += [
        Garbage(path=path, why="failure of a stage that is finished since")
        for path in children(store.root / "failed")
        if path.suffix == ".json" and store.own_kind_of(path.stem)
    ]
    drafts = [path for pattern in DRAFTS for path in sorted(store.root.glob(pattern))]
    return found + [
        Garbage(path=path, why="half-written by a process that is gone")
        for path in drafts
        if idle_seconds(path) > SILENCE_SECONDS
    ]


def unneeded(store: Store, idle_days: float | None = None) -> list[Garbage]:
    """What else could go: damaged entries, idle work if asked for, stages that no result needs.

    Args:
        store: is read only.
        idle_days: days after which work of an unfinished stage counts as given up; None: never.

    Raises:
        UserError: if an entry is damaged, for then nobody knows what its result needs.
    """
    found = [
        Garbage(path=path, why="found damaged")
        for path in children(store.root / "quarantine")
        if path.suffix != ".shipped"
    ]
    at_work = [holder for holder in store.holders() if holder.is_live]
    in_use = {*used(store, at_work), *(holder.digest for holder in at_work)}
    if idle_days is not None:
        found += [
            Garbage(path=path, why=f"checkpoints untouched for {duration(seconds)}")
            for path in children(store.root / "work")
            if path.name not in in_use
            and not store.own_kind_of(path.name)
            and (seconds := idle_seconds(path)) > idle_days * 86400
        ]
    entries = read_entries(store)
    needed = ancestors([*results(entries), *in_use], entries)
    return found + [
        Garbage(
            path=store.root / entry.kind / digest,
            label=entry.label,
            why="no result needs it",
            is_remote=store.is_remote,
            remote_bytes=entry.bytes if store.is_remote else 0,
        )
        for digest, entry in entries.items()
        if digest not in needed and entry.is_own
    ]


def remove_unneeded(store: Store, idle_days: float | None = None) -> list[Garbage]:
    """Remove what `unneeded` names, looked up again while no sweep can begin.

    Returns:
        What was removed.
    """
    with store.undisturbed():
        found = unneeded(store, idle_days)
        for garbage in found:
            if garbage.is_remote:
                store.delete_remotely(garbage.path)
        trash = [store.put_in_trash(garbage.path) for garbage in found]
    for path in trash:
        if path is not None:
            empty_trash(path)
    return found


def weigh(garbage: Garbage) -> int:
    """Bytes that its removal gives back, wherever they lie."""
    return garbage.remote_bytes + tree_bytes(garbage.path)


def read_entries(store: Store) -> dict[str, Entry]:
    """Read the manifests of all finished stages of all layers; damaged ones stay where they are.

    Raises:
        UserError: naming the damaged ones.
    """
    entries, faults = {}, []
    for read, is_own in [
        *((Layer(path).manifests, False) for path in store.shipped),
        (store.own_manifests, True),
    ]:
        for kind in KINDS:
            for digest, manifest in read(kind):
                if isinstance(manifest, CorruptEntryError):
                    if is_own:  # what is shipped was made from what is shipped, and stays
                        faults.append(str(manifest))
                    continue
                entries[digest] = Entry(
                    kind=kind,
                    label=manifest["label"],
                    inputs=tuple(manifest["inputs"].values()),
                    is_own=is_own,
                    bytes=sum(file["bytes"] for file in manifest["files"].values()),
                )
    if faults:
        raise UserError(
            "\n".join(
                [
                    "damaged entries, so that nobody knows what they need; nothing is removed:",
                    *(f"  - {fault}" for fault in faults),
                    "run the sweep again, which makes them anew, or delete them",
                ]
            )
        )
    return entries


def results(entries: Mapping[str, Entry]) -> Iterator[str]:
    """Digests of the finished evaluations."""
    return (digest for digest, entry in entries.items() if entry.kind == RESULT)


def used(store: Store, at_work: Iterable[Holder]) -> Iterator[str]:
    """Digests that live processes have said they use, and the inputs of failed stages."""
    for holder in at_work:
        yield from holder.owner.uses
    for record in read_records(store):
        yield from record.stage["inputs"].values()


def ancestors(roots: Iterable[str], entries: Mapping[str, Entry]) -> set[str]:
    """`roots` and all that they were made from, as far as `entries` knows."""
    found: set[str] = set()
    stack = list(roots)
    while stack:
        digest = stack.pop()
        if digest not in found:
            found.add(digest)
            stack += entries[digest].inputs if digest in entries else ()
    return found


def children(folder: Path) -> list[Path]:
    """What is in `folder`, in order; nothing if it is not there."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def idle_seconds(path: Path) -> float:
    """Time since anything at or below `path` changed; 0 for what is gone."""
    try:
        return time.time() - max(place.lstat().st_mtime for place in [path, *path.rglob("*")])
    except FileNotFoundError:
        return 0.0


def _remove(store: Store, garbage: Garbage) -> None:
    path = garbage.path
    if garbage.is_remote:
        store.delete_remotely(path)
    elif path.suffix != ".lease":
        store.discard(path)
        return
    with guard(store.locks, path.stem):  # nobody takes it over meanwhile
        if not is_working(store.locks, path.stem):
            path.unlink(missing_ok=True)
