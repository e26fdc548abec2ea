"""Errors that a person can act on: what was given, what is allowed, and the fix."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class UserError(ValueError):
    """Something the person at the keyboard can mend; shown without a traceback, exit code 2."""


class DataError(UserError):
    """Data that is not what it should be; names the file and the line."""


class BadImageError(DataError):
    """An image that is not used, and why; whoever reads a data set leaves it out and counts it."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} {reason}")

    def __reduce__(self) -> tuple[type[BadImageError], tuple[str, str]]:
        """Let it come back from another process."""
        return BadImageError, (self.path, self.reason)


class BadExampleError(DataError):
    """A conversation that cannot be trained on, and why; whoever trains leaves it out and counts it."""

    def __init__(self, name: str, reason: str, decoded: str, tokens: int) -> None:
        self.name = name
        self.reason = reason
        self.decoded = decoded
        self.tokens = tokens
        super().__init__(f"example '{name}' {reason}. Decoded: {decoded}")

    def __reduce__(self) -> tuple[type[BadExampleError], tuple[str, str, str, int]]:
        """Let it come back from another process."""
        return BadExampleError, (self.name, self.reason, self.decoded, self.tokens)


class ConfigError(UserError):
    """All faults of a configuration at once, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = f"{count} fault{'s' if count > 1 else ''} in the configuration; nothing was run:"
        super().__init__("\n".join([head, *(f"  - {fault}" for fault in self.faults)]))


class PartnerLost(RuntimeError):  # noqa: N818 - it names the event
    """The other workers of a stage cannot be reached: a consequence, if one of them says more."""


@contextmanager
def leaving_on_user_error() -> Iterator[None]:
    """Turn a `UserError` into its message on standard error and exit code 2, without a traceback."""
    try:
        yield
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def unknown_name(what: str, given: str, known: Iterable[str]) -> str:
    """Say that `given` is no known `what`, with the nearest known name and the list of all."""
    names = sorted(set(known))
    nearest = difflib.get_close_matches(given, names, n=1)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else "."
    return f"unknown {what} '{given}'{hint} Known: {', '.join(names)}"
