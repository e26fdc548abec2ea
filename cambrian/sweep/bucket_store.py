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
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from cambrian.errors import UserError
from cambrian.runtime import SHIPPED, Runtime
from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.bucket import Bucket
from cambrian.sweep.bucket_layer import BucketLayer
from cambrian.sweep.bucket_strays import find_strays
from cambrian.sweep.catalog import LAYOUT, MissingArtifactError
from cambrian.sweep.checkpoint_copies import CheckpointCopies
from cambrian.sweep.claim import Claim, SessionClaim, claims
from cambrian.sweep.files import MANIFEST, CorruptEntryError, check_files
from cambrian.sweep.lease import SESSION
from cambrian.sweep.owner import LeaseLostError
from cambrian.sweep.presence import Holder
from cambrian.sweep.store import Store, Stray

log = logging.getLogger(__name__)

GARBAGE = "gc"
"""Name of the claim under which no sweep may begin."""


@dataclass(frozen=True)
class BucketStore(Store):
    """Finished stages below a URL; `root` is the copy on this machine."""

    bucket: Bucket = field(kw_only=True)

    @property
    def place(self) -> str:
        """The URL."""
        return self.bucket.url

    @property
    def exists(self) -> bool:
        """Whether anything was ever written to it."""
        return self.bucket.read("store.json") is not None

    @property
    def is_remote(self) -> bool:
        """It is."""
        return True

    def prepare(self) -> None:
        """Create both, before the first write.

        Raises:
            UserError: if the bucket cannot be written, or has the layout of another version.
        """
        if (self.root / "store.json").exists():
            return
        content = self.bucket.read("store.json")
        if content is None:
            self.bucket.check()
            self.bucket.create("store.json", b'{"layout": %d}\n' % LAYOUT)
        elif content != b'{"layout": %d}\n' % LAYOUT:
            raise UserError(
                f"the store {self.place} has another layout than the one that this version of the program "
                f"knows, {LAYOUT}: {content.decode(errors='replace').strip()}; choose another store"
            )
        super().prepare()

    def digests(self, kind: str) -> set[str]:
        """Names of all entries of `kind`, by one listing; no manifest is read."""
        return self.own_sizes(kind).keys() | {d for layer in self._beside for d in layer.digests(kind)}

    def own_sizes(self, kind: str) -> dict[str, int]:
        """Bytes of every entry of `kind` that is not shipped, by digest."""
        sizes, complete = self._there.sizes(kind)
        return {digest: size for digest, size in sizes.items() if digest in complete}

    def own_kind_of(self, digest: str) -> str | None:
        """Kind of the entry `digest`, if there is one that is not shipped."""
        return self._there.kind_of(digest)

    def own_manifests(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any] | CorruptEntryError]]:
        """Give digest and manifest of every entry of `kind` that is not shipped, or what is wrong with it."""
        return self._there.manifests(kind, sorted(self.own_sizes(kind)))

    def find_all(self, stages: Iterable[Stage]) -> dict[str, Artifact]:
        """Look many stages up by their manifests alone: a listing of each kind, then all together."""
        wanted: dict[str, list[str]] = {}
        for stage in stages:
            wanted.setdefault(stage.kind, []).append(stage.digest)
        found = {}
        for kind, digests in wanted.items():
            there = self.own_sizes(kind)
            found |= self._artifacts(kind, [digest for digest in digests if digest in there])
            for digest in digests:
                shipped = None if digest in found else self._look_up_shipped(kind, digest, whole=False)
                if shipped is not None:
                    found[digest] = shipped
        return found

    def artifacts(self, kind: str) -> Iterator[Artifact]:
        """Give every finished stage of `kind`, from manifests alone."""
        own = sorted(self.own_sizes(kind))
        for digest, manifest in self._there.manifests(kind, own):
            if not isinstance(manifest, CorruptEntryError):
                yield Artifact(digest=digest, path=self.root / kind / digest, manifest=manifest)
        for digest in sorted(self.digests(kind).difference(own)):
            shipped = self._look_up_shipped(kind, digest, whole=False)
            if shipped is not None:
                yield shipped

    def verify(self, kind: str, digest: str) -> None:
        """Make sure that every file is there in its size, without fetching it to the machine that plans.

        Raises:
            MissingArtifactError: if it is not there, or was damaged and removed.
        """
        found = self.find(kind, digest)
        if found is None:
            raise MissingArtifactError(f"{kind} {digest[:12]} is not in the store {self.place}")
        if self.is_shipped(found):
            super().verify(kind, digest)
            return
        if reason := self._there.missing_file(kind, digest, found.manifest):
            self.set_aside(kind, digest, reason)
            raise MissingArtifactError(f"{kind} {digest[:12]} in the store {self.place}: {reason}")

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

    def set_aside(self, kind: str, digest: str, reason: str, *, inode: int | None = None) -> None:
        """Remove a damaged entry, so that it counts as missing and is made again; its manifest is kept."""
        manifest = self._there.manifest(kind, digest)
        if manifest is not None:
            self.bucket.write(f"quarantine/{kind}-{digest}-{secrets.token_hex(4)}.json", manifest)
            self._there.delete(f"{kind}/{digest}")
        self._forget(kind, digest)
        log.warning("%s %s: %s; removed, it will be made again", kind, digest[:12], reason)

    @property
    def _there(self) -> BucketLayer:
        return BucketLayer(self.bucket)

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

    def _look_up_own(self, kind: str, digest: str, *, whole: bool) -> Artifact | None:
        content = self._there.manifest(kind, digest)
        if content is None:
            self._forget(kind, digest)
            return None
        try:
            manifest = self._there.parse(kind, digest, content)
            if whole:
                self._fetch(kind, digest, content, manifest)
        except CorruptEntryError as fault:
            self.set_aside(kind, digest, str(fault))
            return None
        return Artifact(digest=digest, path=self.root / kind / digest, manifest=manifest)

    def _fetch(self, kind: str, digest: str, content: bytes, manifest: Mapping[str, Any]) -> None:
        """Bring the files of an entry here, unless they are; one process of this machine at a time.

        Raises:
            CorruptEntryError: if the bucket does not have what the manifest says.
        """
        self.prepare()
        entry, copy = self.root / kind / digest, self.root / "copies" / digest
        with FileLock(self.locks / f"{digest}.copy"):
            if not _is_copy(entry, content, manifest):
                self._forget(kind, digest)
                shutil.rmtree(copy, ignore_errors=True)  # of a process that was killed
                self._there.fetch(kind, digest, content, copy)
                entry.parent.mkdir(exist_ok=True)
                copy.rename(entry)

    def _forget(self, kind: str, digest: str) -> None:
        """Remove the copy of an entry from this machine."""
        if (self.root / kind / digest).exists():
            self.discard(self.root / kind / digest)

    def _artifacts(self, kind: str, digests: Sequence[str]) -> dict[str, Artifact]:
        """Read many entries by their manifests alone; damaged ones are set aside."""
        found = {}
        for digest, manifest in self._there.manifests(kind, digests):
            if isinstance(manifest, CorruptEntryError):
                self.set_aside(kind, digest, str(manifest))
            else:
                path = self.root / kind / digest
                found[digest] = Artifact(digest=digest, path=path, manifest=manifest)
        return found

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def open_store(runtime: Runtime) -> Store:
    """The store of `runtime`, with what is shipped beside it."""
    if runtime.bucket is None:
        return Store(runtime.store, (SHIPPED,))
    return BucketStore(runtime.store, (SHIPPED,), bucket=Bucket(runtime.bucket))


def _is_copy(entry: Path, content: bytes, manifest: Mapping[str, Any]) -> bool:
    """Whether `entry` is a whole copy of what the manifest says."""
    try:
        if (entry / MANIFEST).read_bytes() != content:
            return False
        check_files(entry, manifest)
    except (FileNotFoundError, CorruptEntryError):
        return False
    return True
