"""How much training gets done in a second, and how long it waits for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cambrian.task import Amount, total_amount


class Meter:
    """Sums up what is computed and how long it took, since the last reading and since the start."""

    def __init__(self, *, peak_flops: float | None) -> None:
        """Take what all devices together can do in a second, if that is known."""
        self._peak = peak_flops
        self._started = self._read = 0.0
        self._waited = self._waited_before = 0.0
        self._amount = self._recent = Amount()
        self.before = Amount()
        """What earlier sessions computed; no part of any rate."""

    def start(self) -> None:
        """Start the clock."""
        self._started = self._read = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as waiting for data."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - began

    def add(self, amount: Amount) -> None:
        """Count what one step computed, in all workers."""
        self._amount = total_amount([self._amount, amount])
        self._recent = total_amount([self._recent, amount])

    @property
    def total(self) -> Amount:
        """What was computed in all sessions."""
        return total_amount([self.before, self._amount])

    def read(self) -> dict[str, float]:
        """Rates since the last reading.

        `data_wait` is a share of the time, `padding` a share of the positions, `mfu` (model FLOPs
        utilisation) a share of what the devices can do; rates of what is not known are missing.
        """
        now = time.monotonic()
        rates = self._rates(self._recent, self._waited - self._waited_before, now - self._read)
        self._read, self._waited_before, self._recent = now, self._waited, Amount()
        return rates

    def overall(self) -> dict[str, float]:
        """Rates since the start."""
        return self._rates(self._amount, self._waited, time.monotonic() - self._started)

    def _rates(self, amount: Amount, waited: float, seconds: float) -> dict[str, float]:
        rates = {"examples_per_second": amount.examples / seconds, "data_wait": waited / seconds}
        if amount.positions:
            rates["tokens_per_second"] = amount.tokens / seconds
            rates["padding"] = 1 - amount.tokens / amount.positions
        if amount.flops and self._peak:
            rates["mfu"] = amount.flops / seconds / self._peak
        return rates
