"""Checkpoints of a stage at work, copied to object storage, so that another machine can go on from them."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path
from types import TracebackType

from cambrian.sweep.bucket import Bucket

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""How often to look for a new checkpoint."""
PATTERN = "step-*"
"""Directories of whole checkpoints; their names are in order (cambrian/checkpoints.py)."""


class CheckpointCopies:
    """While it is open, a thread uploads the newest checkpoint of a directory whenever there is a newer one.

    A copy that is cut short is harmless: checkpoints carry their checksum, and the one before is removed only
    when the next is there whole. Failures cost a warning: the work goes on, and may resume from further back.
    """

    def __init__(self, bucket: Bucket, key: str, folder: Path) -> None:
        self._bucket = bucket
        self._key = key
        self._folder = folder
        self._sent = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"copies {key}", daemon=True)

    def __enter__(self) -> CheckpointCopies:
        """Bring the newest checkpoint here that another machine has left, if it is ahead of this one's."""
        there = self._there()
        newest = max(there, default="")
        if newest > self._newest():
            draft = self._folder / f"copy-{newest}"
            shutil.rmtree(draft, ignore_errors=True)
            for name in there[newest]:
                self._bucket.download(f"{self._key}/{newest}/{name}", draft / name)
            draft.rename(self._folder / newest)
        self._sent = newest
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Copy what an interrupted attempt leaves; a finished one needs it no more."""
        self._stop.set()
        self._thread.join()
        if error is not None:
            self._copy()

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._copy()

    def _copy(self) -> None:
        newest = self._newest()
        if newest <= self._sent:
            return
        try:
            for path in sorted((self._folder / newest).iterdir()):
                self._bucket.upload(path, f"{self._key}/{newest}/{path.name}")
            for old, names in self._there().items():
                if old < newest:
                    self._bucket.delete(*(f"{self._key}/{old}/{name}" for name in names))
            self._sent = newest
        except FileNotFoundError:
            log.info("%s was replaced by a newer checkpoint before it was copied", newest)
        except OSError as error:
            log.warning("checkpoint %s is not copied: %s", newest, error)

    def _newest(self) -> str:
        return max((path.name for path in self._folder.glob(PATTERN)), default="")

    def _there(self) -> dict[str, list[str]]:
        """Names of the files of each checkpoint in the bucket."""
        found: dict[str, list[str]] = {}
        for key in self._bucket.sizes(self._key):
            step, _, name = key.partition("/")
            found.setdefault(step, []).append(name)
        return found
