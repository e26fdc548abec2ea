"""Files of one store entry: sealed by a manifest with checksums, made durable, checked when read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cambrian.stages.base import SCHEMA, canonical_json

MANIFEST = "manifest.json"

FULL_DISK = (
    "No space left on device",
    "Disk quota exceeded",
    "os error 28",  # safetensors
    " requested and ",  # numpy: so many items requested and so many written
    "enforce fail at inline_container.cc",  # torch.save; torch.load says PyTorchStreamReader with it
)
"""What libraries say when they cannot write, where they drop the system's own error."""


class CorruptEntryError(Exception):
    """A file of an entry is not what its manifest says. Names the file and the reason."""


def seal(payload: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of the files in `payload`, last, and bring all of it to the disk.

    Raises:
        ValueError: if the manifest holds anything but finite JSON values, or `payload` anything but files.
        OSError: if the disk refuses.
    """
    canonical_json(manifest)
    files: dict[str, dict[str, Any]] = {}
    folders = [payload]
    for path in sorted(payload.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()) or path == payload / MANIFEST:
            raise ValueError(f"{path} cannot be published: only plain files and folders, no {MANIFEST}")
        if path.is_dir():
            folders.append(path)
            continue
        _sync_file(path)
        files[path.relative_to(payload).as_posix()] = {"sha256": _sha256(path), "bytes": path.stat().st_size}
    content = {"schema": SCHEMA, **manifest, "files": files}
    head = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}").encode()
    write_durably(payload / MANIFEST, head + _tail(head))
    for folder in reversed(folders):
        sync_directory(folder)


def read_manifest(entry: Path, kind: str, digest: str) -> dict[str, Any]:
    """Read the manifest of `entry` and check that it is whole and belongs there.

    Raises:
        CorruptEntryError: if not.
    """
    path = f"{entry}/{MANIFEST}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (read 10,000 times by a plan)
            content = file.read()
    except FileNotFoundError:
        raise CorruptEntryError(f"{path} is missing") from None
    return parse_manifest(content, path, kind, digest)


def parse_manifest(content: bytes, path: str, kind: str, digest: str) -> dict[str, Any]:
    """Check that the `content` of a manifest at `path` is whole and belongs there.

    Raises:
        CorruptEntryError: if not.
    """
    if content[-TAIL_LENGTH:] != _tail(content[:-TAIL_LENGTH]):
        raise CorruptEntryError(f"{path} does not match its own checksum")
    manifest: dict[str, Any] = json.loads(content)
    if (manifest["kind"], manifest["digest"]) != (kind, digest):
        raise CorruptEntryError(f"{path} belongs to {manifest['kind']} {manifest['digest'][:12]}")
    return manifest


def check_files(entry: Path, manifest: Mapping[str, Any]) -> None:
    """Compare every file of `entry` with the size and checksum in its manifest.

    Raises:
        CorruptEntryError: at the first that differs.
    """
    for name, known in manifest["files"].items():
        path = entry / name
        if not path.is_file():
            raise CorruptEntryError(f"{path} is missing")
        if path.stat().st_size != known["bytes"]:
            raise CorruptEntryError(f"{path} has {path.stat().st_size:,} bytes instead of {known['bytes']:,}")
        if _sha256(path) != known["sha256"]:
            raise CorruptEntryError(f"{path} does not match its checksum")


def write_durably(path: Path, content: bytes) -> None:
    """Write `content` so that `path` holds all of it or is as before, even after a power cut."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        _sync_file(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def is_full_disk(error: BaseException) -> bool:
    """Whether `error` is for want of disk space, whichever library ran into it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    text = str(error)
    return any(words in text for words in FULL_DISK) and "Reader" not in text


def explain_full_disk(error: Exception, disk: Path, *folders: Path) -> None:
    """Add to an `error` for want of space on `disk` what is free and, unless it says so, what is needed.

    What the `folders` of the stage hold is the least that it needs.
    """
    if is_full_disk(error):
        needed = sum(map(tree_bytes, folders))
        if needed and not getattr(error, "__notes__", ()):
            error.add_note(f"this stage needs more than {needed:,} bytes")
        error.add_note(f"{disk} has {shutil.disk_usage(disk).free:,} bytes free")


def tree_bytes(path: Path) -> int:
    """Size of a file, or of all files below a directory; 0 for what is gone."""
    total = 0
    stack = [path]
    while stack:
        place = stack.pop()
        try:
            if place.is_dir() and not place.is_symlink():
                stack += place.iterdir()
            else:
                total += place.lstat().st_size
        except FileNotFoundError:
            continue  # removed meanwhile by the process that owns it
    return total


def sync_directory(path: Path) -> None:
    """Bring the names in directory `path` to the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync_file(path: Path) -> None:
    _sync(path, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tail(head: bytes) -> bytes:
    """Last field of a manifest and its closing brace: the checksum of all bytes before."""
    return b',\n "checksum": "' + hashlib.sha256(head).hexdigest().encode() + b'"\n}\n'


TAIL_LENGTH = len(_tail(b""))
