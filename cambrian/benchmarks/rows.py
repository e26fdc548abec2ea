"""What a row of the table of benchmarks holds, wherever its questions come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cambrian.benchmarks.scoring import Rules


@dataclass(frozen=True, kw_only=True)
class Benchmark(Rules):
    """One row: what is asked, how an answer is read, how it is scored and where it is shown."""

    display: str
    """Name in figures and tables."""
    category: str
    """Key of `suite.CATEGORIES`."""
    max_new_tokens: int
    """Longest answer that is generated, in tokens."""
    source: str
    """Where the questions come from: `lab` is the procedural world, `hub` are published data sets."""
    questions: int = 0
    """All that there are; 0 where there is no end to them."""
    unscored: str = ""
    """Why it has no score: it is asked, and its answers are stored."""
    closed: bool = False
    """Whether every question has options, of which the likeliest can be taken for the answer."""

    def recipe(self, content: str = "") -> dict[str, Any]:
        """What determines an evaluation's result; names and groupings for figures are not part of it.

        `content` is the fingerprint of a local copy of the questions, if they are taken from one.
        """
        assert not content or self.source == "hub", f"{self.id} has no copies"
        return {
            "id": self.id,
            "matcher": self.matcher,
            "metric": self.metric,
            "cluster": self.cluster,
            "max_new_tokens": self.max_new_tokens,
            "source": self.source,
            **({"unscored": self.unscored} if self.unscored else {}),
        }
