"""One process of a stage that trains in several; `cambrian.stages.crew` starts it and listens to it."""

from __future__ import annotations

import ctypes
import importlib
import logging
import logging.handlers
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from cambrian.memory import peak_bytes
from cambrian.preemption import SIGNALS
from cambrian.runtime import SilentTracker, Tracker
from cambrian.stages.base import StageContext
from cambrian.stages.job import Job, Report

PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal to be sent when the parent dies."""


class Link:
    """The way to the process that started this one; several threads may send."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Send a report, a log record, or the name and the arguments of a function to call there."""
        with self._lock:
            self._connection.send(message)

    def put_nowait(self, record: logging.LogRecord) -> None:
        """Send a log record, as a queue for `QueueHandler`."""
        self.send(record)


class RelayTracker(SilentTracker):
    """Passes the curve on; the summary is made where the stage was started."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Let the tracker over there record it."""
        self._link.send(("log", (dict(metrics), step)))


def main(descriptor: int, parent: int) -> None:
    """Do the job that comes through the socket `descriptor`, and report; never live longer than `parent`."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    connection = Connection(descriptor)
    job: Job = connection.recv()
    link, stop = Link(connection), threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_listen, args=(connection, stop), daemon=True).start()
    handler = logging.handlers.QueueHandler(link)  # pyright: ignore[reportArgumentType]
    logging.basicConfig(level=logging.INFO if job.rank == 0 else logging.WARNING, handlers=[handler])
    try:
        link.send(Report(metrics=_work(job, link, stop)))
    except BaseException as error:  # every failure is the parent's to raise
        text = "".join(traceback.format_exception(error)).rstrip()
        trace = f"in worker {job.rank} of {job.count}:\n{text}"
        link.send(Report(error=_portable(error), trace=trace))


def _work(job: Job, link: Link, stop: threading.Event) -> dict[str, Any] | None:
    """Run the stage as one of several; None in all but the first, which leave when training ends."""
    from cambrian.workers import Dismissed, joined  # torch, after the handlers are in place

    first = job.rank == 0
    tracker: Tracker = RelayTracker(link) if first else SilentTracker()
    context = StageContext(
        payload=job.payload,
        workdir=job.workdir,
        runtime=job.runtime,
        tracker=tracker,
        progress=lambda done, total: link.send(("progress", (done, total))) if first else None,
        stopping=stop.is_set,
        note=lambda facts: link.send(("note", (dict(facts),))) if first else None,
    )
    module, _, name = job.function.partition(":")
    with joined(job.rank, job.count, job.rendezvous, job.listener, job.runtime.device):
        try:
            metrics = getattr(importlib.import_module(module), name)(job.recipe, job.inputs, context)
        except Dismissed:
            metrics = None
    context.note({"peak_memory_bytes": peak_bytes()})
    return metrics


def _portable(error: BaseException) -> BaseException:
    """Give `error` itself if it can leave this process, else one that says the same."""
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
        faithful = type(copy) is type(error) and str(copy) == str(error)
    except Exception as fault:
        return RuntimeError(f"{type(error).__name__}: {error} (it cannot leave its process: {fault})")
    return error if faithful else RuntimeError(f"{type(error).__name__}: {error}")


def _listen(connection: Connection, stop: threading.Event) -> None:
    """Hear when to stop, and end when the parent has ended, where the system does not see to that."""
    try:
        while True:
            connection.recv()
            stop.set()
    except (EOFError, OSError):
        os._exit(1)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
