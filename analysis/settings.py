"""How the connectors of own models were built, which the axes of results do not tell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.results import MANIFEST

FULL_SIDE: Mapping[str, int] = {"lab": 4, "mini": 24, "paper": 24}
"""Scale -> visual tokens per side that an image has unless a study brings them down."""
REDUCTION = 4
"""How much smaller a side is in the study of token reduction: 576 tokens to 36, in the lab 16 to 1."""


@dataclass(frozen=True, kw_only=True)
class Connector:
    """One connector as it was built."""

    side: int | None
    """Visual tokens per side; None for as many as the only encoder gives."""
    depth: int | None
    """SVA's D, layers; None for other connectors."""
    groups: int | None
    """SVA's G."""
    inside: int
    """SVA's layers inside the LLM."""

    def is_reduced(self, scale: str) -> bool:
        """Whether it has a sixteenth of the usual tokens or less."""
        return self.side is not None and REDUCTION * self.side <= FULL_SIDE[scale]


def read_connectors(store: Path, runs: Iterable[str]) -> dict[str, Connector]:
    """Digest of a model -> its connector.

    Raises:
        AnalysisError: if the manifest of a model is not in the store, or says nothing of it.
    """
    found: dict[str, Connector] = {}
    faults = []
    for run in runs:
        path = store / "tune" / run / MANIFEST
        try:
            found[run] = _connector(json.loads(path.read_bytes())["recipe"]["connector"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            faults.append(f"{path}: {type(error).__name__}: {error}")
    if faults:
        raise AnalysisError(
            "\n".join(["models whose connectors cannot be read:", *(f"  - {fault}" for fault in faults)])
        )
    return found


def _connector(settings: Mapping[str, Any]) -> Connector:
    groups, aggregation = settings.get("groups"), settings.get("aggregation")
    return Connector(
        side=settings["side"],
        depth=settings.get("depth") if groups else None,
        groups=len(groups) if groups else None,
        inside=aggregation["layers"] if aggregation else 0,
    )
