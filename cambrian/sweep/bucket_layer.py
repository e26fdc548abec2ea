"""Finished stages in object storage, `<kind>/<digest>/`: there when its manifest is, which comes last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.stages.base import KINDS
from cambrian.sweep.bucket import Bucket
from cambrian.sweep.files import MANIFEST, CorruptEntryError, check_files, parse_manifest

BATCH = 500
"""Manifests asked for at the same time."""


@dataclass(frozen=True)
class BucketLayer:
    """What `Layer` is for a directory, and how entries come and go."""

    bucket: Bucket

    def sizes(self, kind: str) -> tuple[dict[str, int], set[str]]:
        """Bytes of every entry of `kind` by digest, and which of them are complete; by one listing."""
        totals: dict[str, int] = {}
        complete = set()
        for key, size in self.bucket.sizes(kind).items():
            digest, _, name = key.partition("/")
            totals[digest] = totals.get(digest, 0) + size
            if name == MANIFEST:
                complete.add(digest)
        return totals, complete

    def kind_of(self, digest: str) -> str | None:
        """Kind of the entry `digest`, if there is one."""
        found = self.bucket.read_many([_manifest(kind, digest) for kind in KINDS])
        return next((key.partition("/")[0] for key in found), None)

    def manifest(self, kind: str, digest: str) -> bytes | None:
        """Give the manifest of an entry as it is; None if there is no such entry."""
        return self.bucket.read(_manifest(kind, digest))

    def parse(self, kind: str, digest: str, content: bytes) -> dict[str, Any]:
        """Read a manifest.

        Raises:
            CorruptEntryError: if it is damaged.
        """
        return parse_manifest(content, f"{self.bucket.url}/{_manifest(kind, digest)}", kind, digest)

    def manifests(
        self, kind: str, digests: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, Any] | CorruptEntryError]]:
        """Read the manifests of many entries at the same time, or say what is wrong with them."""
        for start in range(0, len(digests), BATCH):
            keys = {_manifest(kind, digest): digest for digest in digests[start : start + BATCH]}
            for key, content in self.bucket.read_many(list(keys)).items():
                try:
                    yield keys[key], self.parse(kind, keys[key], content)
                except CorruptEntryError as fault:
                    yield keys[key], fault

    def missing_file(self, kind: str, digest: str, manifest: Mapping[str, Any]) -> str:
        """Compare the sizes of an entry's files with its manifest: what is wrong, empty if nothing is."""
        sizes = self.bucket.sizes(f"{kind}/{digest}")
        for name, known in manifest["files"].items():
            if sizes.get(name) != known["bytes"]:
                return f"{name} has {sizes.get(name, 'no')} bytes instead of {known['bytes']}"
        return ""

    def send(self, kind: str, digest: str, payload: Path) -> None:
        """Upload the files of a sealed entry, all but its manifest; nobody sees them yet."""
        for path in sorted(payload.rglob("*")):
            name = path.relative_to(payload).as_posix()
            if path.is_file() and name != MANIFEST:
                self.bucket.upload(path, f"{kind}/{digest}/{name}")

    def announce(self, kind: str, digest: str, payload: Path) -> bool:
        """Upload the manifest; False if there is one already."""
        return self.bucket.create(_manifest(kind, digest), (payload / MANIFEST).read_bytes())

    def fetch(self, kind: str, digest: str, content: bytes, folder: Path) -> None:
        """Download an entry with the manifest `content` into the new directory `folder`, and check it.

        Raises:
            CorruptEntryError: if the bucket does not have what the manifest says.
        """
        manifest = self.parse(kind, digest, content)
        folder.mkdir(parents=True)
        for name in manifest["files"]:
            key = f"{kind}/{digest}/{name}"
            try:
                self.bucket.download(key, folder / name)
            except FileNotFoundError as missing:
                raise CorruptEntryError(f"{self.bucket.url}/{key} is missing") from missing
        (folder / MANIFEST).write_bytes(content)
        check_files(folder, manifest)

    def delete(self, key: str) -> None:
        """Remove the object `key`, or all below it; of an entry its manifest first."""
        names = sorted(self.bucket.sizes(key), key=lambda name: name != MANIFEST)
        self.bucket.delete(*(f"{key}/{name}" for name in names), key)


def _manifest(kind: str, digest: str) -> str:
    return f"{kind}/{digest}/{MANIFEST}"
