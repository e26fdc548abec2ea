"""From a command line with lists to one composed configuration per point of the grid.

Words are parsed by Hydra, points are composed by `composition`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from cambrian.errors import ConfigError, UserError, unknown_name
from cambrian.runtime import PROJECT
from cambrian.sweep.composition import Config, axes, compose, set_value

SWEEPS = PROJECT / "sweeps"
SEVERAL_TYPES = ("plan", "preflight", "runtime.keep_features", "runtime.shard")
"""Keys that take words beside true and false."""


OWN = "encoders.timm."
"""Where the settings of a person's own encoder are; on a command line `encoder.` is short for it."""


def spell_out(words: Sequence[str]) -> list[str]:
    """Write `encoder.model=NAME`, a setting of one's own encoder, as Hydra takes it.

    The pluses let Hydra accept it beside a list of encoders, where it sees that of the default alone.
    """
    return [
        f"++{OWN}{word.removeprefix('encoder.')}" if word.startswith("encoder.") else word for word in words
    ]


def parse_overrides(arguments: Sequence[str]) -> list[Override]:
    """Parse `key=value` words of the command line.

    Raises:
        ConfigError: naming every word that cannot be parsed.
    """
    parser, parsed, faults = OverridesParser.create(), [], []
    for argument in spell_out(arguments):
        try:
            parsed.append(parser.parse_override(argument))
        except HydraException as error:
            faults.append(f"cannot read '{argument}': {str(error).splitlines()[0]}")
    if faults:
        raise ConfigError(faults)
    return parsed


def check_overrides(arguments: Sequence[str]) -> list[str]:
    """Faults in the words of a command line: unknown axes, choices and keys, and values of the wrong type."""
    known, faults = axes(), []
    overrides = parse_overrides(arguments)
    chosen = {o.key_or_group: _choices(o) for o in overrides if o.key_or_group in known}
    for group, choices in chosen.items():
        unknown = [name for choice in choices for name in choice if name not in known[group]]
        faults += [unknown_name(group, name, known[group]) for name in unknown]
    if faults:
        chosen = {}
    for override in overrides:
        key = override.key_or_group
        if key in known or key.split(".")[0] == "hydra" or key.startswith("hydra/"):
            continue
        if override.is_add() or override.is_delete():
            faults.append(
                f"'{override.input_line}': keys are neither added nor deleted here; {_top(compose({}))}"
            )
            continue
        if key.startswith(OWN) and not any("timm" in names for names in chosen.get("encoder", [])):
            faults.append(
                f"encoder.{key.removeprefix(OWN)} is a setting of your own encoder: add encoder=timm"
            )
            continue
        for _, value in _elements(override):
            # A key need exist for one of the choices that are compared; the recipe's own check sees the rest.
            found = [check_value(config, key, value) for config in _candidates(chosen, key)]
            faults += min(found, key=len)
    return faults


def _candidates(chosen: Mapping[str, Sequence[tuple[str, ...]]], key: str) -> list[Config]:
    """Configurations to look `key` up in: one for each choice of its axis on the command line."""
    axis = "encoder" if key.startswith("encoders.") else key.split(".")[0]
    return [compose({axis: choice}) for choice in chosen.get(axis, [])] or [compose({})]


def check_value(config: Config, key: str, value: object) -> list[str]:
    """Faults of setting dotted `key` to `value`: it must exist, and the type must be that of its default."""
    node: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(node, Mapping) or part not in node:
            where = "configuration key" if depth == 0 else f"key in {'.'.join(parts[:depth])}"
            known = list(node) + (list(axes()) if depth == 0 else []) if isinstance(node, Mapping) else []
            return [unknown_name(where, part, known)]
        node = node[part]
    expected = _kind_of(node)
    given = _kind_of(value)
    if (
        node is None
        or key in SEVERAL_TYPES
        or expected == given
        or (expected, given) == ("number", "whole number")
    ):
        return []
    return [f"{key} expects a {expected} (as in {node!r}), got {value!r}"]


def expand(arguments: Sequence[str]) -> list[Config]:
    """Compose every point of the grid that `arguments` spans, as plain containers.

    Raises:
        ConfigError: if a word names something that does not exist or has the wrong type.
    """
    faults = check_overrides(arguments)
    if faults:
        raise ConfigError(faults)
    overrides = parse_overrides(arguments)
    lists = [list(_elements(override)) for override in overrides]
    return [_point(point) for point in itertools.product(*lists)]


def _point(words: Sequence[tuple[str, Any]]) -> Config:
    """Compose one point; a later word about the same key counts more."""
    config = compose({key: _names(value) for key, value in words if key in axes()})
    for key, value in words:
        # Settings of an encoder say nothing of points without it.
        absent = key.startswith("encoders.") and key.split(".")[1] not in config["encoders"]
        if key not in axes() and not absent:
            set_value(config, key, value)
    return config


def sweep_names(words: Sequence[str]) -> list[str]:
    """The sweeps that `sweep=NAME` or `sweep=[NAME,NAME]` on a command line asks for."""
    values = [o.value() for o in parse_overrides(words) if o.key_or_group == "sweep"]
    last = values[-1] if values else None
    return [] if last is None else [str(name) for name in (last if isinstance(last, list) else [last])]


def expand_sweeps(names: Sequence[str], words: Sequence[str]) -> list[Config]:
    """Compose the union of the grids of sweeps, each refined by the words of a command line.

    Raises:
        UserError: if there is no such sweep or its method is not grid.
        ConfigError: as `expand` does.
    """
    refined = [word for word in words if not word.startswith("sweep=")]
    return (
        [point for name in names for point in expand(sweep_words(name, refined))]
        if names
        else expand(refined)
    )


def sweep_words(name: str, words: Sequence[str]) -> list[str]:
    """Add the axes of sweeps/NAME.yaml, a W&B sweep file, to those of the command line, which win.

    Raises:
        UserError: if there is no such sweep or its method is not grid.
    """
    files = {path.stem: path for path in sorted(SWEEPS.glob("*.yaml"))}
    if name not in files:
        raise UserError(unknown_name("sweep", name, files))
    sweep: Any = OmegaConf.to_container(OmegaConf.load(files[name]), resolve=False)
    if sweep["method"] != "grid":
        raise UserError(f"{files[name]}: method must be grid, got {sweep['method']}")
    given = {override.key_or_group for override in parse_overrides(words)}
    axes_of_file = [
        f"{key}={','.join(_write(v) for v in (node['values'] if 'values' in node else [node['value']]))}"
        for key, node in sweep["parameters"].items()
        if key not in given
    ]
    return [*axes_of_file, *words]


def _choices(override: Override) -> list[tuple[str, ...]]:
    """The choices of an axis in one word: one tuple per point, several names where encoders are combined."""
    return [_names(value) for _, value in _elements(override)]


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _elements(override: Override) -> list[tuple[str, Any]]:
    key = override.key_or_group
    if not override.is_sweep_override():
        return [(key, override.value())]
    words = [f"{key}={element}" for element in override.sweep_string_iterator()]
    return [(key, single.value()) for single in parse_overrides(words)]


def _kind_of(value: object) -> str:
    kinds = (
        (bool, "true or false"),
        (int, "whole number"),
        (float, "number"),
        (str, "word"),
        (Mapping, "mapping"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "list")


def _write(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _top(config: Config) -> str:
    return f"known top-level keys: {', '.join(sorted({*config, *axes()}))}"
