"""A store in object storage: machines share nothing else, each keeps a copy of what it has touched.

What a directory does by renaming and locking is done here with two guarantees of object storage alone: an
object is written whole, and it can be created at most once. A finished stage is there when its manifest is,
which is written last. Leases are claims (claim.py). The copy on this machine is a store of its own, so that
processes of one machine meet there as ever; it may be deleted when nothing is running.

    <url>/store.json                        version of this layout
    <url>/<kind>/<digest>/manifest.json     as in a directory
    <url>/<kind>/<digest>/...
    <url>/work/<digest>/<checkpoint>/...    copies of checkpoints, the newest last
    <url>/locks/<name>/<number>             claims
    <url>/failed/, <url>/tracking/          copies of the small files of these names
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cambrian.preemption import Notice
from cambrian.runtime import SHIPPED, Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.bucket import Bucket
from cambrian.sweep.bucket_catalog import BucketCatalog
from cambrian.sweep.bucket_strays import find_strays
from cambrian.sweep.checkpoint_copies import CheckpointCopies
from cambrian.sweep.claim import Claim, SessionClaim, claims
from cambrian.sweep.lease import SESSION
from cambrian.sweep.owner import LeaseLostError
from cambrian.sweep.presence import Holder
from cambrian.sweep.store import Store, Stray

log = logging.getLogger(__name__)

GARBAGE = "gc"
"""Name of the claim under which no sweep may begin."""


@dataclass(frozen=True)
class BucketNotice:
    """A mark that all machines see."""

    bucket: Bucket
    key: str

    def exists(self) -> bool:
        """Whether it was made."""
        return self.bucket.read(self.key) is not None

    def touch(self) -> None:
        """Make it."""
        self.bucket.write(self.key, b"")


@dataclass(frozen=True)
class BucketStore(BucketCatalog, Store):
    """A store below a URL; `root` is the copy on this machine."""

    @property
    def is_remote(self) -> bool:
        """It is."""
        return True

    def holders(self) -> list[Holder]:
        """Who is at work on any machine, or has died at it."""
        return [
            Holder(digest=name, owner=owner, silent_seconds=seconds)
            for name, owner, seconds in claims(self.bucket)
            if name != GARBAGE
        ]

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let no sweep begin for a while, on any machine, so that what is not needed now stays so."""
        with self.lease(GARBAGE, "removal of what nobody needs"):
            yield

    @contextmanager
    def workdir(self, digest: str) -> Iterator[Path]:
        """Give a directory for checkpoints of `digest`, which are copied to the bucket while it is open."""
        with (
            super().workdir(digest) as folder,
            CheckpointCopies(self.bucket, f"work/{digest}", folder),
        ):
            yield folder

    def discard_work(self, digest: str) -> None:
        """Remove the checkpoints of a stage that is finished."""
        super().discard_work(digest)
        self.delete_remotely(self.root / "work" / digest)

    def notice(self, files: Path) -> Notice:
        """Where a sweep tells its workers on all machines to leave."""
        return BucketNotice(self.bucket, f"notices/{secrets.token_hex(8)}")

    def share(self, file: Path) -> None:
        """Let other machines have a small `file` below the store's directory; a failure costs a warning."""
        try:
            self.bucket.upload(file, self._key(file))
        except OSError as error:
            log.warning("other machines will not see %s: %s", file.name, error)

    def withdraw(self, file: Path) -> None:
        """Remove a small file from all machines, if it is there; a failure costs a warning."""
        super().withdraw(file)
        try:
            self.bucket.delete(self._key(file))
        except OSError as error:
            log.warning("other machines will go on to see %s: %s", file.name, error)

    def obtain(self, file: Path) -> None:
        """Get what another machine has shared as `file`, if this one does not have it."""
        if not file.exists():
            content = self.bucket.read(self._key(file))
            if content is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

    def gather(self, folder: str) -> list[Path]:
        """All files that any machine has shared in `folder`, brought here."""
        names = self.bucket.names(folder)
        here = self.root / folder
        here.mkdir(parents=True, exist_ok=True)
        for key, content in self.bucket.read_many([f"{folder}/{name}" for name in names]).items():
            (self.root / key).write_bytes(content)
        for path in here.iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)
        return [here / name for name in names]

    def strays(self) -> list[Stray]:
        """What dead processes left in the bucket."""
        return find_strays(self._there, self.holders())

    def delete_remotely(self, path: Path) -> None:
        """Remove the object that would be `path`, or all below; of an entry its manifest first."""
        self._there.delete(self._key(path))

    def _claim(self, digest: str) -> Claim:
        if digest.startswith(SESSION):
            return SessionClaim(self.bucket, digest, self.lease_ttl, gate=GARBAGE)
        return Claim(self.bucket, digest, self.lease_ttl)

    def _send(self, stage: Stage, payload: Path) -> None:
        self._there.send(stage.kind, stage.digest, payload)

    def _place(self, stage: Stage, payload: Path, entry: Path) -> None:
        if not self._there.announce(stage.kind, stage.digest, payload):
            raise LeaseLostError(f"{stage.label} was made by another machine; this result is dropped")
        self._forget(stage.kind, stage.digest)
        super()._place(stage, payload, entry)


def open_store(runtime: Runtime) -> Store:
    """The store of `runtime`, with what is shipped beside it."""
    if runtime.bucket is None:
        return Store(runtime.store, (SHIPPED,))
    return BucketStore(runtime.store, (SHIPPED,), bucket=Bucket(runtime.bucket))
