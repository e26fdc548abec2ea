"""What a store in object storage has, and its copy on this machine."""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from cambrian.errors import UserError
from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.bucket import Bucket
from cambrian.sweep.bucket_layer import BucketLayer
from cambrian.sweep.catalog import LAYOUT, Catalog, MissingArtifactError
from cambrian.sweep.files import MANIFEST, CorruptEntryError, check_files

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BucketCatalog(Catalog):
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


def _is_copy(entry: Path, content: bytes, manifest: Mapping[str, Any]) -> bool:
    """Whether `entry` is a whole copy of what the manifest says."""
    try:
        if (entry / MANIFEST).read_bytes() != content:
            return False
        check_files(entry, manifest)
    except (FileNotFoundError, CorruptEntryError):
        return False
    return True
