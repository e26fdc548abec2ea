"""Who is making a stage right now: one lease per digest, held by a live process and freed when it dies.

A lease is a small file. Every change of it happens under a short file lock, so two processes never both
believe that they hold it. Its owner touches it every few seconds. An owner on the same machine is known to be
dead at once, by process id and start time; on another machine, when nothing has touched the file for the
time to live. That is measured on the waiting side's own clock, so skewed clocks do no harm.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType

import psutil
from filelock import FileLock

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""How often a waiting process looks again."""
SESSION = "session-"
"""Start of the names under which whole sweeps, not single stages, hold a lease of their own."""


class LeaseLostError(RuntimeError):
    """Another process took over while this one was thought dead; its result is dropped, not published."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The process that holds a lease."""

    token: str
    pid: int
    started: str
    """Start of the process, so that a reused process id is not mistaken for it."""
    host: str
    machine: str
    """Boot and process namespace: where `pid` means something."""
    since: str
    """UTC time of the acquisition."""
    label: str = ""
    """What it makes, for people."""
    uses: Sequence[str] = ()
    """Digests that must stay in the store as long as it lives."""

    @property
    def is_local(self) -> bool:
        """Whether its process id can be looked up from here."""
        return self.machine == this_machine()

    @property
    def is_known_dead(self) -> bool:
        """Whether it ran on this machine and is gone. Always False for other machines."""
        return self.is_local and process_start(self.pid) != self.started


@dataclass(kw_only=True)
class _Watch:
    """What a waiting process has seen: the owner's token and last touch, and since when they are the same."""

    ttl: float
    seen: tuple[str, int] = ("", 0)
    since: float = field(default_factory=time.monotonic)

    def is_silent(self, owner: Owner, touched: int) -> bool:
        """Whether an owner on another machine has not touched its lease for the time to live."""
        if (owner.token, touched) != self.seen:
            self.seen, self.since = (owner.token, touched), time.monotonic()
        return not owner.is_local and time.monotonic() - self.since > self.ttl


class Lease:
    """The right to make one stage, as a context manager; entering waits while a live process holds it."""

    def __init__(
        self,
        locks: Path,
        digest: str,
        label: str,
        *,
        ttl: float,
        heartbeat: float,
        uses: Sequence[str] = (),
    ) -> None:
        """Prepare a lease on `digest` below the directory `locks`.

        Args:
            locks: directory shared by all processes of one store.
            digest: what is leased.
            label: for messages.
            uses: digests that must stay in the store meanwhile.
            ttl: seconds after which a silent owner on another machine counts as dead.
            heartbeat: seconds between two touches of the file.
        """
        self.locks = locks
        self.digest = digest
        self.label = label
        self.ttl = ttl
        self.heartbeat = heartbeat
        self.uses = tuple(uses)
        self.token = secrets.token_hex(8)
        self._path = _lease_path(locks, digest)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {digest[:12]}", daemon=True)

    def __enter__(self) -> Lease:
        self.locks.mkdir(parents=True, exist_ok=True)
        watch = _Watch(ttl=self.ttl)
        announced = ""
        while (owner := self._take(watch)) is not None:
            if owner.token != announced:
                announced = owner.token
                log.warning("waiting: %s", self._held_by(owner))
            time.sleep(POLL_SECONDS)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with guard(self.locks, self.digest):
            if self._is_ours():
                self._path.unlink()

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """Hold the lease's file lock, sure that no other process has taken over.

        Raises:
            LeaseLostError: if one has.
        """
        with guard(self.locks, self.digest):
            if not self._is_ours():
                raise LeaseLostError(
                    f"{self._name} was taken over by another process; "
                    "this process seemed dead for too long and its result is dropped"
                )
            yield

    @property
    def _name(self) -> str:
        return f"stage {self.digest[:12]} ({self.label})"

    def _held_by(self, owner: Owner) -> str:
        return f"{self._name} is being made by pid {owner.pid} on host {owner.host} since {owner.since}"

    def _is_ours(self) -> bool:
        owner = read_owner(self.locks, self.digest)
        return owner is not None and owner.token == self.token

    def _take(self, watch: _Watch) -> Owner | None:
        """Take the lease, or say who holds it."""
        with guard(self.locks, self.digest):
            owner = read_owner(self.locks, self.digest)
            if owner is not None:
                silent = watch.is_silent(owner, self._path.stat().st_mtime_ns)
                if not owner.is_known_dead and not silent:
                    return owner
                why = f"was not heard of for {self.ttl:g} s" if silent else "is gone"
                log.warning("%s, which %s; taking over", self._held_by(owner), why)
            self._write()
        return None

    def _write(self) -> None:
        own = Owner(
            token=self.token,
            pid=os.getpid(),
            started=process_start(os.getpid()) or "",
            host=platform.node(),
            machine=this_machine(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            label=self.label,
            uses=self.uses,
        )
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(own)))
        draft.replace(self._path)

    def _beat(self) -> None:
        """Touch the file until released; that needs no disk space, so a full disk loses no lease."""
        while not self._stop.wait(self.heartbeat):
            try:
                with self.fenced():
                    os.utime(self._path)
            except LeaseLostError as lost:
                log.error("%s", lost)
                return
            except OSError as error:
                log.warning("cannot touch the lease of %s, will try again: %s", self._name, error)


@contextmanager
def guard(locks: Path, digest: str) -> Iterator[None]:
    """Hold the file lock under which the lease on `digest` changes, briefly: 256 locks serve all digests."""
    with FileLock(locks / f"{digest[:2]}.guard", poll_interval=0.01):
        yield


def read_owner(locks: Path, digest: str) -> Owner | None:
    """Read who holds the lease on `digest`; unknown if a crash of the machine left the file unreadable."""
    try:
        text = _lease_path(locks, digest).read_text()
    except FileNotFoundError:
        return None
    try:
        return Owner(**json.loads(text))
    except (TypeError, ValueError):
        log.warning("unreadable lease %s", _lease_path(locks, digest))
        nobody = "unknown"
        return Owner(token=nobody, pid=0, started="", host=nobody, machine=nobody, since=nobody)


def process_start(pid: int) -> str | None:
    """When process `pid` of this machine started, in a form to compare; None if it is gone or a zombie."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat.rpartition(")")[2].split()  # from the third field of proc(5) on: state, ppid, ...
        return None if fields[0] in "ZX" else fields[19]
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None


@cache
def this_machine() -> str:
    """Name this boot of this machine and, on Linux, this namespace of process ids."""
    if sys.platform == "linux":
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def _lease_path(locks: Path, digest: str) -> Path:
    return locks / f"{digest}.lease"
