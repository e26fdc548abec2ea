"""Turn plain mappings into frozen dataclasses, collecting every fault instead of stopping at the first."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from cambrian.errors import unknown_name

T = TypeVar("T")


def read(kind: type[T], node: object, where: str, faults: list[str]) -> T | None:
    """Read `node` as dataclass `kind`; None if there was a fault, which is then added to `faults`.

    `where` is the dotted place in the configuration, for the messages.
    """
    if not isinstance(node, Mapping):
        faults.append(f"{where} must hold {_names(kind)}, got {node!r}")
        return None
    before = len(faults)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    for key in node:
        if key not in fields:
            faults.append(unknown_name(f"key in {where}", str(key), fields))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in node:
            values[name] = read_value(hints[name], node[name], f"{where}.{name}", faults)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            faults.append(f"{where}.{name} is missing; {where} must hold {_names(kind)}")
    return None if len(faults) > before else kind(**values)


def read_value(hint: Any, value: object, where: str, faults: list[str]) -> Any:  # noqa: ANN401
    """Read one value of the type that annotation `hint` names."""
    if dataclasses.is_dataclass(hint):
        return read(typing.cast(type, hint), value, where, faults)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return read_value(next(a for a in arguments if a is not type(None)), value, where, faults)
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            faults.append(f"{where} must hold {len(arguments)} values, got {list(value)}")
            return None
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        return tuple(
            read_value(k, v, f"{where}[{i}]", faults)
            for i, (k, v) in enumerate(zip(kinds, value, strict=True))
        )
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {str(k): read_value(arguments[1], v, f"{where}.{k}", faults) for k, v in value.items()}
    if hint is Any:
        return value
    return _read_scalar(hint, value, where, faults)


def _read_scalar(hint: Any, value: object, where: str, faults: list[str]) -> object:  # noqa: ANN401
    fits = {
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
        bool: isinstance(value, bool),
        str: isinstance(value, str),
    }.get(hint, False)
    if not fits:
        faults.append(f"{where} must be {_WORDS.get(hint, str(hint))}, got {value!r}")
        return None
    if hint is not float:
        return value
    number = float(typing.cast(float, value))
    if not math.isfinite(number):
        faults.append(f"{where} must be a finite number, got {value!r}")
    return number


_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def _names(kind: type) -> str:
    return ", ".join(field.name for field in dataclasses.fields(typing.cast(Any, kind)))
