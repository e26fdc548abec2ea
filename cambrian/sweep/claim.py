"""Who is making a stage, across machines that share nothing but object storage.

A claim on a name is a numbered object, `locks/<name>/<number>`, which exactly one process can create. The one
with the highest number holds the name. It rewrites `<number>.beat` every few seconds; when that has not
changed for the time to live, measured on the waiting side's own clock, another process creates the next
number. Nothing but the creation of an object that must not exist has to be atomic.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict

from cambrian.sweep.bucket import Bucket
from cambrian.sweep.owner import LeaseLostError, Owner, Silence, parse_owner

log = logging.getLogger(__name__)

LOCKS = "locks"
_DIGITS = 12
_BEAT = ".beat"


class Claim:
    """The right to a name in a bucket. One process at a time has it; the one that lost it can tell."""

    def __init__(self, bucket: Bucket, name: str, ttl: float) -> None:
        """Prepare a claim that counts as given up after `ttl` seconds without a beat."""
        self._bucket = bucket
        self._folder = f"{LOCKS}/{name}"
        self._silence = Silence(ttl=ttl)
        self._number = 0
        self._beats = 0

    def take(self, own: Owner) -> Owner | None:
        """Take the claim, or say who has it."""
        while True:
            highest, holder = self.look()
            if holder is not None:
                return holder
            if self._create(highest, own):
                return None

    def look(self) -> tuple[int, Owner | None]:
        """Give the highest number, 0 if there is none, and its owner unless that is dead."""
        while True:
            highest = self._highest()
            if not highest:
                return 0, None
            holder = self._read(highest)
            if holder is not None:
                break  # else it was given back in this moment
        silent = self._silence.is_silent(holder, self._bucket.read(f"{self._key(highest)}{_BEAT}"))
        if not holder.is_known_dead and not silent:
            return highest, holder
        log.warning("pid %d on %s (%s) is not heard of any more", holder.pid, holder.host, holder.label)
        return highest, None

    def beat(self) -> None:
        """Tell the others that this process lives.

        Raises:
            LeaseLostError: if another one has taken over.
        """
        self.check()
        self._beats += 1
        self._bucket.write(f"{self._key(self._number)}{_BEAT}", str(self._beats).encode())

    def check(self) -> None:
        """Make sure that no other process has taken over.

        Raises:
            LeaseLostError: if one has.
        """
        if self._number == 0 or self._highest() != self._number:
            raise LeaseLostError(f"{self._folder} was taken over by another machine")

    def release(self) -> None:
        """Give the claim back; nothing happens if it was lost."""
        if self._number:
            self._delete(self._number)
            self._number = 0

    def _create(self, before: int, own: Owner) -> bool:
        """Create the number after `before`; False if another process was faster, or gave `before` back."""
        number = before + 1
        if not self._bucket.create(self._key(number), json.dumps(asdict(own)).encode()):
            return False
        numbers = self._numbers()
        if max(numbers, default=0) != number or (before and before not in numbers):
            self._delete(number)
            return False
        self._number = number
        for old in numbers:
            if old != number:
                self._delete(old)
        return True

    def _numbers(self) -> list[int]:
        return [int(name) for name in self._bucket.names(self._folder) if not name.endswith(_BEAT)]

    def _highest(self) -> int:
        return max(self._numbers(), default=0)

    def _read(self, number: int) -> Owner | None:
        content = self._bucket.read(self._key(number))
        return None if content is None else parse_owner(content.decode(), self._key(number))

    def _delete(self, number: int) -> None:
        self._bucket.delete(f"{self._key(number)}{_BEAT}", self._key(number))

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:0{_DIGITS}d}"


class SessionClaim(Claim):
    """A claim on a name of its own, which is taken only when nobody has the name `gate`.

    Both sides say first what they want and look then, so that they never overlook each other.
    """

    def __init__(self, bucket: Bucket, name: str, ttl: float, gate: str) -> None:
        super().__init__(bucket, name, ttl)
        self._gate = Claim(bucket, gate, ttl)

    def take(self, own: Owner) -> Owner | None:
        """Take the claim, or say who stands in the way of what follows."""
        holder = None if self._number else super().take(own)
        return holder or self._gate.look()[1]


def claims(bucket: Bucket) -> Iterator[tuple[str, Owner, float]]:
    """All names that are held, by live processes or dead ones: name, owner, seconds since its last beat."""
    now = time.time()
    by_name: dict[str, list[str]] = {}
    for key in bucket.sizes(LOCKS):
        name, _, number = key.rpartition("/")
        by_name.setdefault(name, []).append(number)
    for name, numbers in sorted(by_name.items()):
        highest = max((number for number in numbers if not number.endswith(_BEAT)), default=None)
        key = f"{LOCKS}/{name}/{highest}"
        content = bucket.read(key) if highest else None
        if content is not None:
            has_beaten = f"{highest}{_BEAT}" in numbers
            age = bucket.age(f"{key}{_BEAT}" if has_beaten else key, now)
            yield name, parse_owner(content.decode(), key), age
