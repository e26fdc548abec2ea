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

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.preemption import Notice
from cambrian.stages.base import KINDS, Artifact, Stage
from cambrian.sweep.catalog import Catalog
from cambrian.sweep.claim import Claim
from cambrian.sweep.files import (
    read_manifest,
    seal,
    sync_directory,
)
from cambrian.sweep.lease import SESSION, Lease, guard
from cambrian.sweep.presence import Holder, holders


@dataclass(frozen=True, kw_only=True)
class Stray:
    """Something in object storage that nobody will ever read."""

    key: str
    why: str
    bytes: int


@dataclass(frozen=True)
class Store(Catalog):
    """A directory of finished stages. Making one touches nothing; the first write creates the directory.

    `BucketStore` is one in object storage. What it does differently are the methods that speak of other
    machines: here all of them see the directory itself.
    """

    lease_ttl: float = field(default=60.0, kw_only=True)
    """Seconds after which a silent owner on another machine counts as dead."""
    lease_heartbeat: float = field(default=5.0, kw_only=True)

    def lease(self, digest: str, label: str, uses: Sequence[str] = ()) -> Lease:
        """The right to make `digest` from `uses`; `with` waits while another live process holds it."""
        self.prepare()
        return Lease(
            self.locks,
            digest,
            label,
            ttl=self.lease_ttl,
            heartbeat=self.lease_heartbeat,
            uses=uses,
            claim=self._claim(digest),
        )

    def session(self, label: str, uses: Sequence[str]) -> Lease:
        """The sign that a sweep is at work and needs the stages `uses`; it stands in nobody's way."""
        return self.lease(f"{SESSION}{secrets.token_hex(8)}", label, uses)

    def holders(self) -> list[Holder]:
        """Who is at work here, or has died at it."""
        return holders(self.locks)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let no sweep begin for a while, so that what is not needed now stays so."""
        self.prepare()
        with guard(self.locks, SESSION):
            yield

    @contextmanager
    def workdir(self, digest: str) -> Iterator[Path]:
        """Give a directory for checkpoints of `digest`; what an interrupted attempt left is still there.

        To be entered by the holder of the lease, and left when its attempt has ended either way.
        """
        path = self.root / "work" / digest
        path.mkdir(parents=True, exist_ok=True)
        yield path

    def discard_work(self, digest: str) -> None:
        """Remove the checkpoints of a stage that is finished."""
        self.discard(self.root / "work" / digest)

    def notice(self, files: Path) -> Notice:
        """Where a sweep tells its workers on all machines to leave; `files` is a directory of its own."""
        files.mkdir(parents=True, exist_ok=True)
        return files / "stop"

    def share(self, file: Path) -> None:
        """Let other machines have a small `file` below the store's directory."""

    def withdraw(self, file: Path) -> None:
        """Remove a small file from all machines, if it is there."""
        file.unlink(missing_ok=True)

    def obtain(self, file: Path) -> None:
        """Get what another machine has shared as `file`, if this one does not have it."""

    def gather(self, folder: str) -> list[Path]:
        """All files directly in `folder` of the store, those of other machines included."""
        return sorted((self.root / folder).glob("*"))

    @property
    def is_remote(self) -> bool:
        """Whether finished stages lie somewhere else than in `root`."""
        return False

    def strays(self) -> list[Stray]:
        """What dead processes left where only the store itself finds it."""
        return []

    def delete_remotely(self, path: Path) -> None:
        """Remove what would be at `path` if the store lay in `root`; only if it `is_remote`."""
        raise AssertionError(f"{path} is a file like others")

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
        self._send(stage, payload)
        with lease.fenced():
            self._place(stage, payload, entry)
        manifest = read_manifest(entry, stage.kind, stage.digest)
        return Artifact(digest=stage.digest, path=entry, manifest=manifest)

    def _claim(self, digest: str) -> Claim | None:
        """What has to be held besides the lease, for machines that do not see it."""
        return None

    def _send(self, stage: Stage, payload: Path) -> None:
        """Do what is long of a publication, before anybody can see it."""

    def _place(self, stage: Stage, payload: Path, entry: Path) -> None:
        """Make the sealed files of `stage` visible, at once and whole."""
        entry.parent.mkdir(exist_ok=True)
        payload.rename(entry)
        sync_directory(entry.parent)
        sync_directory(self.root)
