"""What a store has: finished stages, looked up by digest in its own directory, then in read-only ones."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.errors import UserError
from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.files import CorruptEntryError, tree_bytes, write_durably
from cambrian.sweep.layer import Layer
from cambrian.sweep.lease import guard

log = logging.getLogger(__name__)

LAYOUT = 1
"""Version of the directory layout."""


class MissingArtifactError(LookupError):
    """A stage that was asked for is not in the store, or was found damaged and set aside."""


@dataclass(frozen=True)
class Catalog:
    """Finished stages. A damaged one is set aside when it is found, and counts as missing.

    Raises:
        UserError: if `root` has the layout of another version of this program.
    """

    root: Path
    shipped: tuple[Path, ...] = ()
    """Directories of the same form that are looked up after `root`, in this order, and never written."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.absolute())
        marker = self.root / "store.json"
        if marker.exists() and (found := json.loads(marker.read_text())["layout"]) != LAYOUT:
            raise UserError(
                f"the store {self.root} has layout {found}, this version of the program knows {LAYOUT}; "
                "choose another directory with store=PATH, or the version of the program that made it"
            )

    @property
    def place(self) -> str:
        """What a user calls it: its path, or its URL."""
        return str(self.root)

    @property
    def exists(self) -> bool:
        """Whether anything was ever written to it."""
        return (self.root / "store.json").exists()

    @property
    def locks(self) -> Path:
        """Directory of leases."""
        return self.root / "locks"

    def digests(self, kind: str) -> set[str]:
        """Names of all entries of `kind`, by directory listings; no manifest is read."""
        return {digest for layer in (self._own, *self._beside) for digest in layer.digests(kind)}

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
            raise MissingArtifactError(f"{kind} {digest[:12]} is not in the store {self.place}")
        return artifact

    def find_all(self, stages: Iterable[Stage]) -> dict[str, Artifact]:
        """Look many stages up by their manifests alone, for a plan: those that are finished, by digest."""
        names: dict[str, set[str]] = {}
        found = {}
        for stage in stages:
            if stage.kind not in names:
                names[stage.kind] = self.digests(stage.kind)
            if stage.digest in names[stage.kind]:
                artifact = self.find(stage.kind, stage.digest)
                if artifact is not None:
                    found[stage.digest] = artifact
        return found

    def verify(self, kind: str, digest: str) -> None:
        """Make sure that what stages will read is whole, before anything long begins.

        Raises:
            MissingArtifactError: if it is not there, or was damaged and moved to quarantine.
        """
        self.load(kind, digest)

    def kind_of(self, digest: str) -> str | None:
        """Kind of the entry `digest`, if there is one."""
        kinds = (self.own_kind_of(digest), *(layer.kind_of(digest) for layer in self._beside))
        return next((kind for kind in kinds if kind), None)

    def own_kind_of(self, digest: str) -> str | None:
        """Kind of the entry `digest`, if there is one that is not shipped."""
        return self._own.kind_of(digest)

    def own_manifests(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any] | CorruptEntryError]]:
        """Give digest and manifest of every entry of `kind` that is not shipped, or what is wrong with it."""
        return self._own.manifests(kind)

    def own_sizes(self, kind: str) -> dict[str, int]:
        """Bytes of every entry of `kind` that is not shipped, by digest; no manifest is read."""
        return {digest: tree_bytes(self.root / kind / digest) for digest in self._own.digests(kind)}

    def artifacts(self, kind: str) -> Iterator[Artifact]:
        """Give every finished stage of `kind` in order of digest, from manifests alone."""
        for digest in sorted(self.digests(kind)):
            artifact = self.find(kind, digest)
            if artifact is not None:
                yield artifact

    def is_shipped(self, artifact: Artifact) -> bool:
        """Whether `artifact` lies in a read-only layer."""
        return any(artifact.path.is_relative_to(layer) for layer in self.shipped)

    def set_aside(self, kind: str, digest: str, reason: str, *, inode: int | None = None) -> None:
        """Move an entry to quarantine, so that it counts as missing and is made again.

        Does nothing if the entry is gone or, given `inode`, is no longer the one that was examined.
        """
        entry = self.root / kind / digest
        self.prepare()
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

    def prepare(self) -> None:
        """Create the directory, before the first write."""
        marker = self.root / "store.json"
        if not marker.exists():
            for name in ("locks", "staging", "work", "quarantine"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            write_durably(marker, b'{"layout": %d}\n' % LAYOUT)

    @property
    def _own(self) -> Layer:
        return Layer(self.root)

    @property
    def _beside(self) -> list[Layer]:
        return [Layer(path) for path in self.shipped]

    def _look_up(self, kind: str, digest: str, *, whole: bool) -> Artifact | None:
        found = self._look_up_own(kind, digest, whole=whole)
        return found or self._look_up_shipped(kind, digest, whole=whole)

    def _look_up_own(self, kind: str, digest: str, *, whole: bool) -> Artifact | None:
        try:
            inode = (self.root / kind / digest).stat().st_ino
        except FileNotFoundError:
            return None
        try:
            return self._own.read(kind, digest, whole=whole)
        except CorruptEntryError as fault:
            self.set_aside(kind, digest, str(fault), inode=inode)
            return None

    def _look_up_shipped(self, kind: str, digest: str, *, whole: bool) -> Artifact | None:
        for layer in self._beside:
            if self._refusal(kind, digest).exists():
                return None
            try:
                found = layer.read(kind, digest, whole=whole)
            except CorruptEntryError as fault:
                self.prepare()
                self._refusal(kind, digest).touch()
                log.warning("%s %s: %s; it will be made again", kind, digest[:12], fault)
            else:
                if found is not None:
                    return found
        return None

    def _refusal(self, kind: str, digest: str) -> Path:
        """Marker of a damaged entry of a read-only layer, which cannot be moved away."""
        return self.root / "quarantine" / f"{kind}-{digest}.shipped"


def empty_trash(trash: Path) -> None:
    """Delete what `Catalog.put_in_trash` took away."""
    if trash.is_dir():
        with suppress(FileNotFoundError):  # a session that starts now tidies up as well
            shutil.rmtree(trash)
    else:
        trash.unlink(missing_ok=True)
