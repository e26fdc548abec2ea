"""Files in object storage, by fsspec: bytes that are written whole, listed, created at most once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cambrian.errors import UserError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def is_url(place: str) -> bool:
    """Whether `place` names object storage, such as s3://bucket/study, and not a directory."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", place) is not None


class BucketError(OSError):
    """The object storage did not do what it was asked; its client has tried again before it said so."""


@dataclass(frozen=True)
class Bucket:
    """All keys below `url`. Credentials are those that the client finds by itself, never part of the URL.

    Making one reaches nothing; processes may hand it to each other.
    """

    url: str

    def __post_init__(self) -> None:
        address = self.url.partition("://")[2]
        if not address.strip("/") or "@" in address or "?" in address:
            raise UserError(
                "a store in object storage is PROTOCOL://BUCKET/PREFIX and nothing else, such as "
                "s3://studies/fig6; keys and endpoints belong into the environment or the client's own files "
                "(AWS_PROFILE, AWS_ENDPOINT_URL, ...)"
            )
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def __getstate__(self) -> dict[str, str]:
        """Leave connections behind when handed to another process."""
        return {"url": self.url}

    def __setstate__(self, state: dict[str, str]) -> None:
        object.__setattr__(self, "url", state["url"])

    def names(self, folder: str) -> list[str]:
        """Names directly below `folder`, of objects and of folders; none if there is nothing."""
        with self._asked_for(folder), suppress(FileNotFoundError):
            found = self._system.ls(self._path(folder), detail=False)
            return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)
        return []

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every object at any depth below `folder`, by its key from there on."""
        with self._asked_for(folder), suppress(FileNotFoundError):
            found = self._system.find(self._path(folder), detail=True)
            assert isinstance(found, dict)
            start = len(self._path(folder)) + 1
            return {path[start:]: int(entry["size"]) for path, entry in found.items()}
        return {}

    def read(self, key: str) -> bytes | None:
        """Give the bytes of an object; None if there is none."""
        with self._asked_for(key), suppress(FileNotFoundError):
            content = self._system.cat_file(self._path(key))
            assert isinstance(content, bytes)
            return content
        return None

    def read_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read several objects at the same time; those that are not there are left out."""
        if not keys:
            return {}
        paths = {self._path(key): key for key in keys}
        with self._asked_for(keys[0]):
            found = self._system.cat(list(paths), on_error="omit")
            assert isinstance(found, dict)
            return {paths[path]: content for path, content in found.items()}

    def write(self, key: str, content: bytes) -> None:
        """Put an object in place of what was there."""
        with self._asked_for(key):
            self._system.pipe_file(self._path(key), content)

    def create(self, key: str, content: bytes) -> bool:
        """Put an object where there is none; False, and nothing is done, if there is another one."""
        try:
            with self._asked_for(key):
                self._system.pipe_file(self._path(key), content, mode="create")
        except FileExistsError:
            # The client tries again when an answer gets lost, and then meets what it has written itself.
            return self.read(key) == content
        return True

    def upload(self, file: Path, key: str) -> None:
        """Put the content of a local file in place of what was there."""
        with self._asked_for(key):
            self._system.put_file(str(file), self._path(key))

    def download(self, key: str, file: Path) -> None:
        """Write an object to a local file.

        Raises:
            FileNotFoundError: if it is not there.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._asked_for(key):
            self._system.get_file(self._path(key), str(file))

    def delete(self, *keys: str) -> None:
        """Remove objects, as far as they are there."""
        for key in keys:
            with self._asked_for(key), suppress(FileNotFoundError):
                self._system.rm_file(self._path(key))

    def age(self, key: str, now: float) -> float:
        """Seconds before `now` at which an object was written, by the clock of the storage; 0 if gone."""
        with self._asked_for(key), suppress(FileNotFoundError):
            return now - self._system.modified(self._path(key)).timestamp()
        return 0.0

    def check(self) -> None:
        """Make sure that the bucket can be written, and that an object can be created only once.

        Raises:
            UserError: if not.
        """
        probe = f"store.json.{secrets.token_hex(4)}"
        try:
            self.write(probe, b"1")
            honest = not self.create(probe, b"2")
        except OSError as error:
            raise UserError(f"cannot write to the store: {error}") from error
        self.delete(probe)
        if not honest:
            raise UserError(
                f"{self.url} overwrites an object although it was told to create a new one alone "
                "(conditional writes, If-None-Match), so that two machines could make the same stage; "
                "use a storage that knows them, or a shared directory"
            )

    @cached_property
    def _connection(self) -> tuple[AbstractFileSystem, str]:
        import fsspec  # only where a URL is used

        # Listings must show what other machines have just written.
        try:
            return fsspec.url_to_fs(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            protocol = self.url.partition("://")[0]
            raise UserError(
                f"cannot use {self.url}: {error} (a store is a directory or a URL that fsspec knows; "
                f"for {protocol}:// install its package, for s3:// with pip install 'cambrian-sweeps[s3]')"
            ) from error

    @property
    def _system(self) -> AbstractFileSystem:
        return self._connection[0]

    def _path(self, key: str) -> str:
        root = self._connection[1].rstrip("/")
        return f"{root}/{key}" if key else root

    @contextmanager
    def _asked_for(self, key: str) -> Iterator[None]:
        """Say what was asked for when the client fails in a way of its own."""
        try:
            yield
        except (OSError, UserError):
            raise
        except Exception as error:
            raise BucketError(f"{self.url}/{key}: {type(error).__name__}: {error}") from error
