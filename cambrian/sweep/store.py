"""Finished stages, by digest: published whole or not at all, checked when read, never overwritten.

    <root>/store.json                       version of this layout
    <root>/<kind>/<digest>/manifest.json    what it is, what it scored, how it was made, checksums
    <root>/<kind>/<digest>/...              the files of the stage
    <root>/work/<digest>/                   checkpoints of a stage in progress; survive a crash
    <root>/staging/<digest>.<token>/        a result before its publication
    <root>/locks/                           leases (see lease.py)
    <root>/quarantine/                      entries found damaged
    <root>/failed/<digest>.json             why a stage has no result (see records.py)
    <root>/tracking/                        metrics over time, logs of stages
    <root>/cache/                           rendered images and the like

Read-only layers of the same form (artifacts shipped with the project) are looked up after it.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.errors import UserError
from cambrian.stages.base import KINDS, Artifact, Stage
from cambrian.sweep.files import (
    CorruptEntryError,
    check_files,
    is_full_disk,
    read_manifest,
    seal,
    sync_directory,
    tree_bytes,
    write_durably,
)
from cambrian.sweep.lease import SESSION, Lease, guard

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

    def lease(self, digest: str, label: str, uses: Sequence[str] = ()) -> Lease:
        """The right to make `digest` from `uses`; `with` waits while another live process holds it."""
        self._prepare()
        return Lease(self.locks, digest, label, ttl=self.lease_ttl, heartbeat=self.lease_heartbeat, uses=uses)

    def session(self, label: str, uses: Sequence[str]) -> Lease:
        """The sign that a sweep is at work and needs the stages `uses`; it stands in nobody's way."""
        return self.lease(f"{SESSION}{secrets.token_hex(8)}", label, uses)

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
        seal(payload, manifest)
        with lease.fenced():
            entry.parent.mkdir(exist_ok=True)
            payload.rename(entry)
            sync_directory(entry.parent)
            sync_directory(self.root)
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
        """Remove a directory or file of the store that other processes may be removing as well."""
        trash = self.put_in_trash(path)
        if trash is not None:
            empty_trash(trash)

    def put_in_trash(self, path: Path) -> Path | None:
        """Take `path` out of sight, at once and whole; None if another process was faster."""
        trash = self.root / "staging" / f"trash.{secrets.token_hex(4)}"
        try:
            return path.rename(trash)
        except FileNotFoundError:
            return None  # published, or removed by another process

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

    def explain_full_disk(self, error: Exception, *folders: Path) -> None:
        """Add to an `error` for want of disk space what is free and, unless it says so, what is needed.

        What the `folders` of the stage hold is the least that it needs.
        """
        if is_full_disk(error):
            free = shutil.disk_usage(self.root).free
            needed = sum(map(tree_bytes, folders))
            if needed and not getattr(error, "__notes__", ()):
                error.add_note(f"this stage needs more than {needed:,} bytes")
            error.add_note(f"{self.root} has {free:,} bytes free")


def empty_trash(trash: Path) -> None:
    """Delete what `Store.put_in_trash` took away."""
    if trash.is_dir():
        with suppress(FileNotFoundError):  # a session that starts now tidies up as well
            shutil.rmtree(trash)
    else:
        trash.unlink(missing_ok=True)
