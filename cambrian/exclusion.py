"""Rules that leave points of a grid out, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.errors import unknown_name
from cambrian.recipe import AXES, Recipe
from cambrian.sweep.composition import axes as groups

if TYPE_CHECKING:
    from cambrian.config import Notes


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """One rule: points whose axes have all of these values are left out."""

    axes: Mapping[str, tuple[str, ...]]
    """Axis -> values, any of which matches."""
    reason: str

    def matches(self, recipe: Recipe) -> bool:
        """Whether `recipe` is to be left out; of several encoders one is enough."""
        return all(not _words(recipe.axes[axis]).isdisjoint(values) for axis, values in self.axes.items())


def read_exclusions(notes: Notes, node: object) -> tuple[Exclusion, ...]:
    """Read the rules of `exclude`, a list of mappings: axes and their values, and the reason."""
    if not isinstance(node, list) or not all(isinstance(rule, Mapping) for rule in node):
        example = "[{encoder: mae, vision: unfrozen, reason: why}]"
        notes.faults.append(f"exclude must be a list of mappings such as {example}, got {node!r}")
        return ()
    return tuple(_read_rule(notes, rule) for rule in node)


def _read_rule(notes: Notes, rule: Mapping[str, Any]) -> Exclusion:
    axes = {str(axis): values for axis, values in rule.items() if axis != "reason"}
    notes.faults.extend(unknown_name("axis in exclude", axis, AXES) for axis in axes if axis not in AXES)
    if not axes or not isinstance(rule.get("reason"), str):
        notes.faults.append(f"a rule of exclude needs at least one axis and a reason, got {dict(rule)}")
    known = {axis: tuple(_words(values)) for axis, values in axes.items() if axis in AXES}
    for axis, values in known.items():
        # A rule with a misspelt choice would leave nothing out, and nobody would notice.
        choices = groups().get(axis, values)
        notes.faults.extend(
            unknown_name(f"{axis} in exclude", value, choices) for value in values if value not in choices
        )
    return Exclusion(axes=known, reason=str(rule.get("reason")))


def _words(value: object) -> set[str]:
    return set(map(str, value)) if isinstance(value, list) else {str(value)}
