"""The log of each stage: `<store>/tracking/<digest>.log`, in this process and in workers alike."""

from __future__ import annotations

import logging
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from cambrian.stages.base import Stage
from cambrian.sweep.store import Store

LOG = logging.getLogger(__name__)
OURS = logging.getLogger("cambrian")


def log_path(store: Store, digest: str) -> Path:
    """Where the log of a stage is; nothing is there before its first attempt."""
    return store.root / "tracking" / f"{digest}.log"


class StageLog:
    """An open log. Like all records it is best effort: a full disk costs the rest of it, never the stage."""

    def __init__(self, handler: _File | None) -> None:
        self._handler = handler

    def attempt(self, number: int, stage: Stage) -> None:
        """Write the line with which each attempt begins."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        where = f"host {platform.node()}, pid {os.getpid()}"
        self.write(f"=== {now} attempt {number} on {where}: {stage.kind} {stage.digest} ({stage.label})")

    def write(self, text: str) -> None:
        """Write `text`, which goes to no other log."""
        if self._handler is not None:
            self._handler.write(text)


@contextmanager
def stage_log(store: Store, digest: str) -> Iterator[StageLog]:
    """Write what is logged and warned of in this process to the log of `digest`, after what is there.

    The project's own messages are written from INFO on, those of libraries as their levels say. What the
    other handlers show stays as it is.
    """
    handler = _open(log_path(store, digest))
    record = StageLog(handler)
    with ExitStack() as stack:
        if handler is not None:
            stack.callback(handler.close)
            stack.enter_context(_attached(handler))
            stack.enter_context(_warnings_too(handler))
        try:
            yield record
        except BaseException as error:
            record.write(f"interrupted by {type(error).__name__}")
            raise


class _File(logging.FileHandler):
    """Appends to a file until that fails."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)
        self._broken = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._broken:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        self._give_up(sys.exception())

    def write(self, text: str) -> None:
        self.acquire()
        try:
            if self.stream is not None and not self._broken:
                self.stream.write(f"{text}\n")
                self.flush()
        except OSError as error:
            self._give_up(error)
        finally:
            self.release()

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: BaseException | None) -> None:
        if not self._broken:
            self._broken = True
            LOG.warning("nothing more is written to %s: %s", self.baseFilename, error)


def _open(path: Path) -> _File | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _File(path)
    except OSError as error:
        LOG.warning("no log is written: %s", error)
        return None


class _AsBefore(logging.Filter):
    """Passes what a handler got before the project's level was lowered for the file."""

    def __init__(self, threshold: int) -> None:
        super().__init__()
        self._threshold = threshold

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._threshold or not _follows_ours(record.name)


def _follows_ours(name: str) -> bool:
    """Whether the level of the logger `name` is that of the whole project."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger is not OURS and not logger.level:
        logger = logger.parent
    return logger is OURS


@contextmanager
def _attached(handler: _File) -> Iterator[None]:
    root, level, threshold = logging.getLogger(), OURS.level, OURS.getEffectiveLevel()
    # Without any handler, warnings go to standard error by a handler of last resort. Ours would end that.
    stand_in = logging.lastResort if not root.handlers else None
    if stand_in is not None:
        root.addHandler(stand_in)
    others, as_before = tuple(root.handlers), _AsBefore(threshold)
    for other in others:
        other.addFilter(as_before)
    root.addHandler(handler)
    OURS.setLevel(min(threshold, logging.INFO))
    try:
        yield
    finally:
        OURS.setLevel(level)
        root.removeHandler(handler)
        for other in others:
            other.removeFilter(as_before)
        if stand_in is not None:
            root.removeHandler(stand_in)


@contextmanager
def _warnings_too(handler: _File) -> Iterator[None]:
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        before(message, category, filename, lineno, file, line)
        handler.write(warnings.formatwarning(message, category, filename, lineno, line).rstrip())

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
