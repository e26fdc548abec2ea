"""What a choice of the configuration says for one scale.

A choice has a section for each scale, such as `lab:` and `paper:`. A scale may be like another one: it takes
that one's sections, with its own laid over them where a choice has any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Sections(NamedTuple):
    """Which sections of the choices a scale reads."""

    scale: str
    like: str | None
    part: float
    """Of the examples of the scale that it is like."""

    @property
    def base(self) -> str:
        """The section that all choices of the scale have: where its settings are changed."""
        return self.like or self.scale

    def find(self, node: Mapping[str, Any]) -> Any | None:  # noqa: ANN401 - whatever a section holds
        """Give what `node` says for the scale; None if it says nothing."""
        own = node.get(self.scale)
        if self.like is None or self.like not in node:
            return own
        below = node[self.like]
        if self.scale not in node:
            return below
        return merge(below, own) if isinstance(below, Mapping) and isinstance(own, Mapping) else own

    def part_of(self, node: Mapping[str, Any]) -> float:
        """Part of a data set that the scale uses, given its sizes; a size of the scale's own is a whole."""
        return 1.0 if self.scale in node else self.part


def merge(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `extra` over `base`, mappings key by key, without changing either."""
    merged = dict(base)
    for key, value in extra.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            value = merge(below, value)
        merged[key] = value
    return merged
