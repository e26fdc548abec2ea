"""Faults that the person at the keyboard can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AnalysisError(ValueError):
    """Shown as one message without a traceback; exit code 2."""


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """Say that `given` is no known `what`, with the nearest known name and the list of all."""
    names = sorted(known)
    nearest = difflib.get_close_matches(given, names, n=1)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else "."
    return f"unknown {what} '{given}'{hint} Known: {', '.join(names)}"
