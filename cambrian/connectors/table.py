"""The connectors as rows: what each takes, what is wrong with a recipe, how many positions it yields.

Planning and the configuration read this module, so it imports nothing heavy.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cambrian.errors import ConfigError, unknown_name

Recipe = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ConnectorRow:
    """One kind of connector."""

    kind: str
    builder: str
    """`module:class`, imported when it is built."""
    fields: tuple[str, ...]
    """Keys of its recipe, `kind` excluded; all of them are required."""
    pools: bool = False
    """Whether it averages the finest grid down to the visual tokens, so that there must be enough of it."""
    places: bool = True
    """Whether a visual token shows its own place of the image, so that those of the border can be cut off."""

    def load(self) -> Callable[..., Any]:
        """Import the class."""
        module, _, name = self.builder.partition(":")
        return getattr(importlib.import_module(module), name)


CONNECTORS: dict[str, ConnectorRow] = {
    row.kind: row
    for row in (
        ConnectorRow(
            kind="concat",
            builder="cambrian.connectors.concat:ConcatConnector",
            fields=("side", "layers", "newline"),
        ),
        ConnectorRow(
            kind="sva",
            builder="cambrian.connectors.sva:SvaConnector",
            fields=("side", "width", "heads", "depth", "groups", "newline", "aggregation"),
        ),
        ConnectorRow(
            kind="resampler",
            builder="cambrian.connectors.resampler:ResamplerConnector",
            fields=("side", "width", "heads", "depth", "newline"),
            places=False,
        ),
        ConnectorRow(
            kind="c_abstractor",
            builder="cambrian.connectors.c_abstractor:CAbstractorConnector",
            fields=("side", "width", "depth", "newline"),
            pools=True,
        ),
        ConnectorRow(
            kind="ldpv2",
            builder="cambrian.connectors.ldpv2:Ldpv2Connector",
            fields=("side", "newline"),
            pools=True,
        ),
    )
}

SIZES = ("side", "layers", "width", "heads", "depth")
"""Fields of any connector that hold a whole number of at least 1."""

AGGREGATION_FIELDS = ("start", "stride", "layers")


def check_connector(recipe: Recipe, grids: Mapping[str, int], llm_layers: int) -> list[str]:
    """Say all that is wrong with a connector for these encoders, one sentence each; empty when it fits.

    `grids` maps each encoder's name to the side of its feature grid; `llm_layers` counts decoder layers.
    """
    if "kind" not in recipe:
        return [f"connector has no 'kind'; give one of {', '.join(sorted(CONNECTORS))}"]
    kind = str(recipe["kind"])
    if kind not in CONNECTORS:
        return [unknown_name("connector", kind, CONNECTORS)]
    row = CONNECTORS[kind]
    faults = _key_faults(f"connector '{kind}'", recipe, ("kind", *row.fields))
    if not grids:
        faults.append(f"connector '{kind}' needs at least one encoder, got none; choose encoder=...")
    if faults:
        return faults
    for key in row.fields:
        if key in SIZES:
            faults += _size_faults(f"connector.{key}", recipe[key], 1)
    faults += _flag_faults("connector.newline", recipe["newline"])
    if "heads" in row.fields:
        faults += _head_faults(recipe)
    if row.pools:
        faults += _pooling_faults(recipe, grids)
    return faults + (_sva_faults(recipe, grids, llm_layers) if kind == "sva" else [])


def require_connector(recipe: Recipe, grids: Mapping[str, int], llm_layers: int) -> ConnectorRow:
    """Give the row of a recipe without faults.

    Raises:
        ConfigError: listing all faults.
    """
    if faults := check_connector(recipe, grids, llm_layers):
        raise ConfigError(faults)
    return CONNECTORS[recipe["kind"]]


def visual_positions(recipe: Recipe, image_size: tuple[int, int] | None = None) -> int:
    """Count the LLM positions one image takes; `image_size` is (width, height), None for a square image."""
    side, newline = int(recipe["side"]), int(recipe["newline"])
    if image_size is None or not CONNECTORS[recipe["kind"]].places:
        return side * (side + newline)
    rows, columns = kept_sides(side, *image_size)
    return rows * (columns + newline)


def kept_sides(side: int, width: int, height: int) -> tuple[int, int]:
    """Rows and columns of a grid that show the image and not the border it was padded square with."""
    rows, columns = padding(side, width, height)
    return max(side - 2 * rows, 0), max(side - 2 * columns, 0)


def padding(side: int, width: int, height: int) -> tuple[int, int]:
    """Border of a square grid in (rows on top and bottom, columns left and right), in grid cells.

    The rule of the Cambrian-1 release (`cambrian_arch.py:203-256`), truncations included.
    """
    if width <= 0 or height <= 0:
        raise ValueError(f"image size must be positive, got {width}x{height} pixels")
    if width > height:
        return (side - int(height * (side / width))) // 2, 0
    return 0, (side - int(width * (side / height))) // 2


def _head_faults(recipe: Recipe) -> list[str]:
    width, heads = recipe["width"], recipe["heads"]
    if _size_faults("width", width, 1) or _size_faults("heads", heads, 1) or width % heads == 0:
        return []
    return [f"connector.width={width} is not divisible by connector.heads={heads}; change one of them"]


def _pooling_faults(recipe: Recipe, grids: Mapping[str, int]) -> list[str]:
    """There must be at least one cell of the finest grid for each visual token."""
    side, finest = recipe["side"], max(grids, key=lambda name: grids[name])
    if _size_faults("side", side, 1) or side <= grids[finest]:
        return []
    return [
        f"connector '{recipe['kind']}' pools the finest grid, {grids[finest]}x{grids[finest]} ({finest}), "
        f"and cannot make {side}x{side} visual tokens of it; choose connector.side of at most "
        f"{grids[finest]}, or an encoder with a finer grid"
    ]


def _sva_faults(recipe: Recipe, grids: Mapping[str, int], llm_layers: int) -> list[str]:
    faults = _group_faults(recipe, grids)
    aggregation = recipe["aggregation"]
    if aggregation is None:
        return faults
    if not isinstance(aggregation, Mapping):
        return [*faults, f"connector.aggregation must be a mapping or null, got {aggregation!r}"]
    return faults + _aggregation_faults(aggregation, llm_layers)


def _group_faults(recipe: Recipe, grids: Mapping[str, int]) -> list[str]:
    """Every encoder's grid has to split into whole windows for every query grid in use."""
    groups = recipe["groups"]
    if not isinstance(groups, list | tuple) or not groups:
        return [f"connector.groups must be a list of query sides such as [4], got {groups!r}"]
    faults = [fault for side in groups for fault in _size_faults("connector.groups", side, 1)]
    if faults or _size_faults("connector.side", recipe["side"], 1):
        return faults
    sides = set(groups) | ({recipe["side"]} if recipe["aggregation"] is not None else set())
    for side in sorted(sides):
        for name, grid in grids.items():
            if grid % side:
                fitting = [number for number in range(1, grid + 1) if grid % number == 0]
                faults.append(
                    f"connector 'sva' needs encoder grids divisible by its query side {side}, got "
                    f"{grid}x{grid} ({name}); give {name} a resolution whose grid is a multiple of {side}, "
                    f"or choose the query side (connector.side, connector.groups) out of {fitting}"
                )
    return faults


def _aggregation_faults(aggregation: Recipe, llm_layers: int) -> list[str]:
    faults = _key_faults("connector.aggregation", aggregation, AGGREGATION_FIELDS)
    if faults:
        return faults
    for key, least in (("start", 0), ("stride", 1), ("layers", 1)):
        faults += _size_faults(f"connector.aggregation.{key}", aggregation[key], least)
    if faults:
        return faults
    last = aggregation["start"] + (aggregation["layers"] - 1) * aggregation["stride"]
    if last >= llm_layers:
        faults.append(
            f"connector.aggregation acts after decoder layer {last} (start {aggregation['start']}, stride "
            f"{aggregation['stride']}, layers {aggregation['layers']}), but the LLM has layers 0 to "
            f"{llm_layers - 1}; use fewer layers or a smaller stride"
        )
    return faults


def _key_faults(what: str, given: Recipe, known: tuple[str, ...]) -> list[str]:
    unknown = [unknown_name(f"key of {what}", str(key), known) for key in given if key not in known]
    return unknown + [f"{what} lacks '{key}'" for key in known if key not in given]


def _size_faults(name: str, value: object, least: int) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        return [f"{name} must be a whole number of at least {least}, got {value!r}"]
    return []


def _flag_faults(name: str, value: object) -> list[str]:
    return [] if isinstance(value, bool) else [f"{name} must be true or false, got {value!r}"]
