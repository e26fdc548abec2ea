"""What a digest is made of, or why two differ: `python -m cambrian.sweep.why DIGEST [DIGEST]`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cambrian.errors import UserError
from cambrian.runtime import PROJECT, SHIPPED
from cambrian.stages.base import KINDS
from cambrian.sweep.store import Store

Lookup = Callable[[str], Mapping[str, Any] | None]
"""From a digest to kind, version, label, recipe and inputs; None if unknown."""

ABSENT = "(absent)"


def describe(digest: str, lookup: Lookup) -> list[str]:
    """List all that enters `digest`, one line each, its inputs by name and digest.

    Raises:
        UserError: if `lookup` does not know the digest.
    """
    stage = _known(digest, lookup)
    lines = [f"{stage['kind']} {digest}", f"  label (not hashed) = {stage['label']}"]
    lines += [f"  {key} = {value!r}" for key, value in _fields(stage).items()]
    for role, other in stage["inputs"].items():
        known = lookup(other)
        lines.append(f"  inputs.{role} = {other}  {'' if known is None else known['label']}".rstrip())
    return lines


def compare(one: str, two: str, lookup: Lookup) -> list[str]:
    """List the fields in which two stages differ, followed into their inputs down to the cause.

    Raises:
        UserError: if `lookup` does not know one of them.
    """
    lines = list(_differences(one, two, lookup, ""))
    return lines or ["the same stage"]


def complete(prefix: str, known: Sequence[str]) -> str:
    """Find the one digest that starts with `prefix`.

    Raises:
        UserError: if there is none, or several.
    """
    found = [digest for digest in known if digest.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"no stage in the store starts with '{prefix}' ({len(known)} stages are known)")
    raise UserError(f"'{prefix}' is short for {len(found)} stages: {', '.join(d[:16] for d in found[:8])}")


def main(arguments: Sequence[str]) -> int:
    """Run the command; exit code 2 for a digest that is not known or not unique."""
    parser = argparse.ArgumentParser(prog="python -m cambrian.sweep.why", description=__doc__)
    parser.add_argument("digest", nargs="+", help="one or two digests, or the first characters of them")
    parser.add_argument("--store", type=Path, default=_default_store(), help="default: %(default)s")
    given = parser.parse_args(arguments)
    if len(given.digest) > 2:
        parser.error(f"one or two digests, got {len(given.digest)}")
    store = Store(given.store, shipped=(SHIPPED,))
    kinds = {digest: kind for kind in KINDS for digest in store.digests(kind)}

    def lookup(digest: str) -> Mapping[str, Any] | None:
        artifact = store.find(kinds[digest], digest) if digest in kinds else None
        return None if artifact is None else artifact.manifest

    try:
        digests = [complete(prefix, sorted(kinds)) for prefix in given.digest]
        lines = describe(digests[0], lookup) if len(digests) == 1 else compare(digests[0], digests[1], lookup)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


def _default_store() -> Path:
    return Path(os.environ.get("CAMBRIAN_STORE", PROJECT / "runs"))


def _differences(one: str, two: str, lookup: Lookup, where: str) -> Iterator[str]:
    left, right = _known(one, lookup), _known(two, lookup)
    ours, theirs = _fields(left), _fields(right)
    for key in dict.fromkeys([*ours, *theirs]):
        a, b = (repr(side[key]) if key in side else ABSENT for side in (ours, theirs))
        if a != b:
            yield f"{where}{key}: {a} -> {b}"
    for role in dict.fromkeys([*left["inputs"], *right["inputs"]]):
        a, b = (side["inputs"].get(role, ABSENT) for side in (left, right))
        if a == b:
            continue
        yield f"{where}inputs.{role}: {a[:12]} -> {b[:12]}"
        if ABSENT not in (a, b) and lookup(a) is not None and lookup(b) is not None:
            yield from _differences(a, b, lookup, f"{where}{role}: ")


def _fields(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves of what is hashed besides the inputs, by dotted name."""
    return {"kind": stage["kind"], "version": stage["version"], **_leaves(stage["recipe"], "recipe")}


def _leaves(value: object, name: str) -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        return {key: leaf for k, v in value.items() for key, leaf in _leaves(v, f"{name}.{k}").items()}
    return {name: value}


def _known(digest: str, lookup: Lookup) -> Mapping[str, Any]:
    stage = lookup(digest)
    if stage is None:
        raise UserError(f"stage {digest[:12]} is not in the store")
    return stage


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
