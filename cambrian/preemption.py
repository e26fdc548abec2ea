"""Leaving in order when the machine is taken away, of which a signal tells beforehand."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Protocol

EXIT_CODE = 75
"""What a preempted program ends with: EX_TEMPFAIL of sysexits.h, try again later."""
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""SIGUSR1 is what `sbatch --signal=B:USR1@60` sends."""
GRACE_SECONDS = 25.0
"""Time to end by oneself. Slurm and Kubernetes kill 30 s after their SIGTERM."""
LOOK_SECONDS = 1.0
"""Least time between two looks at the notice."""


class Notice(Protocol):
    """A mark by which one process tells others, such as a file."""

    def exists(self) -> bool:
        """Whether it was made."""
        ...

    def touch(self) -> None:
        """Make it."""
        ...


class Preempted(BaseException):
    """Work was left in order, to be continued; not an `Exception`, so that nothing takes it for a failure."""


class Preemption:
    """Whether the work shall be left: call it. A context manager, within which signals are listened to.

    What does not look is cut short by `Preempted` when the time is over. Signals reach the main thread only;
    elsewhere the notice alone counts.
    """

    def __init__(self, notice: Notice | None = None) -> None:
        """Prepare to listen.

        Args:
            notice: what another process makes when it is preempted; looked at once a second.
        """
        self._notice = notice
        self._asked = False
        self._next_look = 0.0
        self._listeners: list[Notice] = []
        self._before = {}

    def __enter__(self) -> Preemption:
        if threading.current_thread() is threading.main_thread():
            numbers = (*SIGNALS, signal.SIGALRM)
            self._before = {number: signal.getsignal(number) for number in numbers}
            self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Whether the work shall be left at the next opportunity."""
        now = time.monotonic()
        if not self._asked and self._notice is not None and now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._asked = self._notice.exists()
        return self._asked

    def listen(self) -> None:
        """Take the signals (again, where a library has taken them)."""
        if self._before:
            signal.signal(signal.SIGALRM, _cut_short)
            for number in SIGNALS:
                signal.signal(number, self._ask)

    def tell(self, notice: Notice) -> None:
        """Make the `notice` when a signal comes, for the processes that look at it."""
        self._listeners.append(notice)
        if self._asked:
            notice.touch()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if not self._asked:
            self._asked = True
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
            for notice in self._listeners:
                notice.touch()


def _cut_short(number: int, frame: FrameType | None) -> None:
    raise Preempted(f"not left in order within {GRACE_SECONDS:g} s")
