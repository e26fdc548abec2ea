"""Finished stages, by digest: published whole or not at all, checked when read, never overwritten.

    <root>/store.json                       version of this layout
    <root>/<kind>/<digest>/manifest.json    what it is, what it scored, how it was made, checksums
    <root>/<kind>/<digest>/...              the files of the stage
    <root>/work/<digest>/                   checkpoints of a stage in progress; survive a crash
    <root>/staging/<digest>.<token>/        a result before its publication
    <root>/locks/                           leases (see lease.py)
    <root>/quarantine/                      entries found damaged
    <root>/cache/, <root>/tracking/         rendered images and the like; metrics over time

Read-only layers of the same form (artifacts shipped with the project) are looked up after it.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.errors import UserError
from cambrian.stages.base import KINDS, Artifact, Stage
from cambrian.sweep.files import (
    CorruptEntryError,
    check_files,
    read_manifest,
    seal,
    sync_directory,
    write_durably,
)
from cambrian.sweep.lease import Lease, guard, is_live

log = logging.getLogger(__name__)

LAYOUT = 1
"""Version of the directory layout."""

DIGEST_LENGTH = 64


class MissingArtifactError(LookupError):
    """A stage that was asked for is not in the store, or was found damaged and set aside."""


@dataclass(frozen=True)
class Store:
    """A directory of finished stages. Making one touches nothing; the first write creates the directory.

    Raises:
        UserError: if `root` has the layout of another version of this program.
    """

    root: Path
    shipped: tuple[Path, ...] = ()
    """Directories of the same form that are looked up after `root`, in this order, and never written."""
    lease_ttl: float = field(default=60.0, kw_only=True)
    """Seconds after which a silent owner on another machine counts as dead."""
    lease_heartbeat: float = field(default=5.0, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.absolute())
        marker = self.root / "store.json"
        if marker.exists() and (found := json.loads(marker.read_text())["layout"]) != LAYOUT:
            raise UserError(
                f"the store {self.root} has layout {found}, this version of the program knows {LAYOUT}; "
                "choose another directory with store=PATH, or the version of the program that made it"
            )

    @property
    def locks(self) -> Path:
        """Directory of leases."""
        return self.root / "locks"

    def digests(self, kind: str) -> set[str]:
        """Names of all entries of `kind`, by two directory listings; no manifest is read."""
        found: set[str] = set()
        for layer in self._layers():
            folder = layer / kind
            if folder.is_dir():
                # os.listdir: Path.iterdir is several times slower on 100,000 entries.
                found.update(name for name in os.listdir(folder) if len(name) == DIGEST_LENGTH)  # noqa: PTH208
        return found

    def find(self, kind: str, digest: str) -> Artifact | None:
        """Look `digest` up by its manifest alone. A damaged manifest is set aside and counts as missing."""
        return self._look_up(kind, digest, whole=False)

    def load(self, kind: str, digest: str) -> Artifact:
        """Look `digest` up to use its files, after checking every one against its checksum.

        Raises:
            MissingArtifactError: if it is not there, or was damaged and moved to quarantine.
        """
        artifact = self._look_up(kind, digest, whole=True)
        if artifact is None:
            raise MissingArtifactError(f"{kind} {digest[:12]} is not in the store {self.root}")
        return artifact

    def kind_of(self, digest: str) -> str | None:
        """Kind of the entry `digest`, if there is one."""
        for layer in self._layers():
            for kind in KINDS:
                if (layer / kind / digest).is_dir():
                    return kind
        return None

    def artifacts(self, kind: str) -> Iterator[Artifact]:
        """Give every finished stage of `kind` in order of digest, from manifests alone."""
        for digest in sorted(self.digests(kind)):
            artifact = self.find(kind, digest)
            if artifact is not None:
                yield artifact

    def is_shipped(self, artifact: Artifact) -> bool:
        """Whether `artifact` lies in a read-only layer."""
        return any(artifact.path.is_relative_to(layer) for layer in self.shipped)

    def lease(self, digest: str, label: str) -> Lease:
        """The right to make `digest`; `with` waits while another live process holds it."""
        self._prepare()
        return Lease(self.locks, digest, label, ttl=self.lease_ttl, heartbeat=self.lease_heartbeat)

    def workdir(self, digest: str) -> Path:
        """Directory for checkpoints of `digest`; what an interrupted attempt left there is still there."""
        path = self.root / "work" / digest
        path.mkdir(parents=True, exist_ok=True)
        return path

    def payload(self, lease: Lease) -> Path:
        """Empty directory for the files of a leased stage, on the store's file system.

        Removes what earlier, broken attempts at the same stage left in staging.
        """
        staging = self.root / "staging"
        for leftover in staging.glob(f"{lease.digest}.*"):
            self.discard(leftover)
        path = staging / f"{lease.digest}.{lease.token}"
        path.mkdir()
        return path

    def publish(
        self,
        stage: Stage,
        payload: Path,
        *,
        metrics: Mapping[str, Any],
        code: Mapping[str, str],
        provenance: Mapping[str, Any],
        lease: Lease,
    ) -> Artifact:
        """Make the files in `payload` the result of `stage`: sealed by a manifest, then renamed into place.

        Raises:
            LeaseLostError: if another process took over; nothing is published.
            OSError: if the files cannot be made durable, such as on a full disk; nothing is published.
            ValueError: for metrics that are not finite JSON values.
        """
        manifest = {
            "kind": stage.kind,
            "version": KINDS[stage.kind].version,
            "digest": stage.digest,
            "label": stage.label,
            "axes": dict(stage.axes),
            "recipe": stage.recipe,
            "inputs": dict(stage.inputs),
            "metrics": dict(metrics),
            "code": dict(code),
            "provenance": dict(provenance),
        }
        entry = self.root / stage.kind / stage.digest
        try:
            seal(payload, manifest)
            with lease.fenced():
                entry.parent.mkdir(exist_ok=True)
                payload.rename(entry)
                sync_directory(entry.parent)
                sync_directory(self.root)
        except OSError as error:
            self._explain_full_disk(error, payload)
            raise
        manifest = read_manifest(entry, stage.kind, stage.digest)
        return Artifact(digest=stage.digest, path=entry, manifest=manifest)

    def set_aside(self, kind: str, digest: str, reason: str, *, inode: int | None = None) -> None:
        """Move an entry to quarantine, so that it counts as missing and is made again.

        Does nothing if the entry is gone or, given `inode`, is no longer the one that was examined.
        """
        entry = self.root / kind / digest
        self._prepare()
        with guard(self.locks, digest):
            if not entry.exists() or (inode is not None and entry.stat().st_ino != inode):
                return
            target = self.root / "quarantine" / f"{kind}-{digest}-{secrets.token_hex(4)}"
            entry.rename(target)
        log.warning("%s %s: %s; moved to %s, it will be made again", kind, digest[:12], reason, target)

    def discard(self, path: Path) -> None:
        """Remove a directory of the store that other processes may be removing as well."""
        trash = self.root / "staging" / f"trash.{secrets.token_hex(4)}"
        try:
            path.rename(trash)
        except FileNotFoundError:
            return  # published, or removed by another process
        shutil.rmtree(trash)

    def collect(self) -> list[Path]:
        """Remove what dead processes left: staged files nobody will publish, work of finished stages, leases.

        Safe beside running processes. Work of unfinished stages stays, to resume from.
        """
        leftovers: list[Path] = []
        for path in _children(self.root / "staging"):
            digest, _, token = path.name.partition(".")
            with guard(self.locks, digest):
                if not is_live(self.locks, digest, token):
                    leftovers.append(path)
        for path in _children(self.root / "work"):
            if any((self.root / kind / path.name).is_dir() for kind in KINDS):
                leftovers.append(path)
        for path in leftovers:
            self.discard(path)
        for path in _children(self.locks):
            if path.suffix == ".lease":
                with guard(self.locks, path.stem):
                    if path.exists() and not is_live(self.locks, path.stem):
                        path.unlink()
                        leftovers.append(path)
        return leftovers

    def _layers(self) -> tuple[Path, ...]:
        return (self.root, *self.shipped)

    def _look_up(self, kind: str, digest: str, *, whole: bool) -> Artifact | None:
        for layer in self._layers():
            entry = layer / kind / digest
            if layer != self.root and self._refusal(kind, digest).exists():
                continue
            try:
                inode = entry.stat().st_ino
            except FileNotFoundError:
                continue
            try:
                manifest = read_manifest(entry, kind, digest)
                if whole:
                    check_files(entry, manifest)
            except CorruptEntryError as fault:
                if layer == self.root:
                    self.set_aside(kind, digest, str(fault), inode=inode)
                else:
                    self._prepare()
                    self._refusal(kind, digest).touch()
                    log.warning("%s %s: %s; it will be made again", kind, digest[:12], fault)
            else:
                return Artifact(digest=digest, path=entry, manifest=manifest)
        return None

    def _refusal(self, kind: str, digest: str) -> Path:
        """Marker of a damaged entry of a read-only layer, which cannot be moved away."""
        return self.root / "quarantine" / f"{kind}-{digest}.shipped"

    def _prepare(self) -> None:
        marker = self.root / "store.json"
        if not marker.exists():
            for name in ("locks", "staging", "work", "quarantine"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            write_durably(marker, b'{"layout": %d}\n' % LAYOUT)

    def _explain_full_disk(self, error: OSError, payload: Path) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            needed = sum(path.stat().st_size for path in payload.rglob("*") if path.is_file())
            free = shutil.disk_usage(self.root).free
            error.add_note(f"the store {self.root} has {free:,} bytes free; this result needs {needed:,}")


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
