"""The process that holds a lease: who it is, and whether it still lives."""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psutil

log = logging.getLogger(__name__)


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

    @staticmethod
    def this_process(token: str, label: str, uses: Sequence[str]) -> Owner:
        """Describe this process, from now on."""
        return Owner(
            token=token,
            pid=os.getpid(),
            started=process_start(os.getpid()) or "",
            host=platform.node(),
            machine=this_machine(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            label=label,
            uses=uses,
        )

    @property
    def is_local(self) -> bool:
        """Whether its process id can be looked up from here."""
        return self.machine == this_machine()

    @property
    def is_known_dead(self) -> bool:
        """Whether it ran on this machine and is gone. Always False for other machines."""
        return self.is_local and process_start(self.pid) != self.started


@dataclass(kw_only=True)
class Silence:
    """What a waiting process has seen: the owner's token and last sign of life, and since when."""

    ttl: float
    seen: tuple[str, object] = ("", None)
    since: float = field(default_factory=time.monotonic)

    def is_silent(self, owner: Owner, sign: object) -> bool:
        """Whether an owner on another machine has given the same `sign` of life for the time to live."""
        if (owner.token, sign) != self.seen:
            self.seen, self.since = (owner.token, sign), time.monotonic()
        return not owner.is_local and time.monotonic() - self.since > self.ttl


def parse_owner(text: str, where: str) -> Owner:
    """Read what an owner wrote of itself; an unknown one if that is unreadable."""
    try:
        return Owner(**json.loads(text))
    except (TypeError, ValueError):
        log.warning("unreadable lease %s", where)
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
