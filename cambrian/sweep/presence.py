"""Who is at work in a store, seen from outside: what leases say, without touching them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from cambrian.sweep.lease import SESSION, read_owner
from cambrian.sweep.owner import Owner

SILENCE_SECONDS = 3600.0
"""Silence after which an owner on another machine is taken for dead, allowing for clocks that differ."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process that holds a lease, or left it behind."""

    digest: str
    """The stage it makes, or a name of its own for a whole sweep."""
    owner: Owner
    silent_seconds: float
    """Since it last touched its lease, by the clocks of the file system and of this machine."""

    @property
    def is_session(self) -> bool:
        """Whether it is a sweep, not the maker of one stage."""
        return self.digest.startswith(SESSION)

    @property
    def is_live(self) -> bool:
        """Whether it is not known to be dead."""
        return not self.owner.is_known_dead and (self.owner.is_local or self.silent_seconds < SILENCE_SECONDS)


def holders(locks: Path) -> list[Holder]:
    """All leases that there are, those of dead processes included."""
    found = [look_up(locks, path.stem) for path in sorted(locks.glob("*.lease"))]
    return [holder for holder in found if holder is not None]


def look_up(locks: Path, digest: str) -> Holder | None:
    """The lease on `digest`, if there is one."""
    owner = read_owner(locks, digest)
    try:
        touched = (locks / f"{digest}.lease").stat().st_mtime
    except FileNotFoundError:
        return None
    return None if owner is None else Holder(digest=digest, owner=owner, silent_seconds=time.time() - touched)


def is_working(locks: Path, digest: str, token: str | None = None) -> bool:
    """Whether a process that is not known to be dead holds the lease on `digest`, with `token` if given."""
    holder = look_up(locks, digest)
    return holder is not None and holder.is_live and token in (None, holder.owner.token)
