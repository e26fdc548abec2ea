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
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from filelock import FileLock

from cambrian.sweep.claim import Claim
from cambrian.sweep.owner import LeaseLostError, Owner, Silence, parse_owner

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""How often a waiting process looks again."""
SESSION = "session-"
"""Start of the names under which whole sweeps, not single stages, hold a lease of their own."""


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
        claim: Claim | None = None,
    ) -> None:
        """Prepare a lease on `digest` below the directory `locks`.

        Args:
            locks: directory shared by all processes of one store.
            digest: what is leased.
            label: for messages.
            uses: digests that must stay in the store meanwhile.
            ttl: seconds after which a silent owner on another machine counts as dead.
            heartbeat: seconds between two touches of the file.
            claim: what has to be held as well, if other machines do not see `locks`.
        """
        self.locks = locks
        self.digest = digest
        self.label = label
        self.ttl = ttl
        self.heartbeat = heartbeat
        self.uses = tuple(uses)
        self.token = secrets.token_hex(8)
        self._claim = claim
        self._path = _lease_path(locks, digest)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {digest[:12]}", daemon=True)

    def __enter__(self) -> Lease:
        self.locks.mkdir(parents=True, exist_ok=True)
        silence = Silence(ttl=self.ttl)
        self._wait(lambda: self._take(silence))
        if self._claim is not None:
            own, claim = self._own(), self._claim
            try:
                self._wait(lambda: claim.take(own))
            except BaseException:
                claim.release()
                self._release()
                raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._claim is not None:
                self._claim.release()
        finally:
            self._release()

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """Hold the lease's file lock, sure that no other process has taken over.

        Raises:
            LeaseLostError: if one has.
        """
        with guard(self.locks, self.digest):
            self._check()
            if self._claim is not None:
                self._claim.check()
            yield

    def _check(self) -> None:
        if not self._is_ours():
            raise LeaseLostError(
                f"{self._name} was taken over by another process; "
                "this process seemed dead for too long and its result is dropped"
            )

    @property
    def _name(self) -> str:
        return f"stage {self.digest[:12]} ({self.label})"

    def _held_by(self, owner: Owner) -> str:
        return f"{self._name} is being made by pid {owner.pid} on host {owner.host} since {owner.since}"

    def _is_ours(self) -> bool:
        owner = read_owner(self.locks, self.digest)
        return owner is not None and owner.token == self.token

    def _release(self) -> None:
        with guard(self.locks, self.digest):
            if self._is_ours():
                self._path.unlink()

    def _wait(self, take: Callable[[], Owner | None]) -> None:
        """Try until there is no other owner, and say once of each who it is."""
        announced = ""
        while (owner := take()) is not None:
            if owner.token != announced:
                announced = owner.token
                log.warning("waiting: %s", self._held_by(owner))
            time.sleep(POLL_SECONDS)

    def _take(self, silence: Silence) -> Owner | None:
        """Take the lease, or say who holds it."""
        with guard(self.locks, self.digest):
            owner = read_owner(self.locks, self.digest)
            if owner is not None:
                silent = silence.is_silent(owner, self._path.stat().st_mtime_ns)
                if not owner.is_known_dead and not silent:
                    return owner
                why = f"was not heard of for {self.ttl:g} s" if silent else "is gone"
                log.warning("%s, which %s; taking over", self._held_by(owner), why)
            self._write()
        return None

    def _own(self) -> Owner:
        return Owner.this_process(self.token, self.label, self.uses)

    def _write(self) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self._own())))
        draft.replace(self._path)

    def _beat(self) -> None:
        """Touch the file until released; that needs no disk space, so a full disk loses no lease."""
        while not self._stop.wait(self.heartbeat):
            try:
                with guard(self.locks, self.digest):
                    self._check()
                    os.utime(self._path)
                if self._claim is not None:
                    self._claim.beat()
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
    return parse_owner(text, str(_lease_path(locks, digest)))


def _lease_path(locks: Path, digest: str) -> Path:
    return locks / f"{digest}.lease"
