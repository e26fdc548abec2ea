"""What a stage is: a kind, a recipe, and the digests of the stages before it.

Planning imports this module, so it imports nothing heavy; the code of a stage is named by a string and
imported where the stage runs.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cambrian.runtime import Runtime, Tracker

_quote = json.encoder.encode_basestring

SCHEMA = 1
"""Version of the identity itself; raising it makes every digest new."""

Recipe = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StageKind:
    """One row of the table of stage kinds."""

    name: str
    version: int
    """Raise it when the code changes in a way that changes results."""
    function: str
    """`module:function`, imported when the stage runs."""
    parallel: bool = False
    """Whether several processes can share its batches: it calls `fit`, on a task that can be split."""

    def load(self) -> Callable[[Recipe, Mapping[str, Artifact], StageContext], dict[str, Any]]:
        """Import the function that does the work."""
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(module), name)


KINDS: dict[str, StageKind] = {
    kind.name: kind
    for kind in (
        StageKind(name="encoder", version=1, function="cambrian.stages.encoder:run"),
        StageKind(name="language", version=1, function="cambrian.stages.language:run", parallel=True),
        StageKind(name="align", version=1, function="cambrian.stages.align:run", parallel=True),
        StageKind(name="tune", version=1, function="cambrian.stages.tune:run", parallel=True),
        StageKind(name="evaluate", version=2, function="cambrian.stages.evaluate:run"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One unit of work. Equal digests mean equal results."""

    kind: str
    recipe: Recipe
    """All that determines the result besides the inputs and the code; plain JSON values."""
    inputs: Mapping[str, str]
    """Role -> digest of the stage that provides it."""
    label: str = field(compare=False)
    """For people, such as `tune siglip sva 1.2M`; not hashed."""
    axes: Mapping[str, Any] = field(compare=False, default_factory=dict)
    """The design choices behind it, for tables and figures; not hashed."""
    work: float = field(compare=False, default=0.0)
    """Examples to process, for the estimate of time; not hashed."""
    recipe_json: str = field(compare=False, repr=False, default="")
    """Canonical JSON of `recipe`, if it is known already; thousands of evaluations share theirs."""

    @cached_property
    def digest(self) -> str:
        """Identity: hash of kind, version, recipe and inputs (64 hexadecimal digits).

        Raises:
            ValueError: if the recipe holds anything but finite JSON values.
        """
        inputs = _inputs_json(tuple(self.inputs.items()))
        recipe = self.recipe_json or canonical_json(self.recipe)
        # The canonical JSON of all five, put together because most of it is at hand.
        text = (
            f'{{"inputs":{inputs},"kind":{_quote(self.kind)},"recipe":{recipe},'
            f'"schema":{SCHEMA},"version":{KINDS[self.kind].version}}}'
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A finished stage in the store."""

    digest: str
    path: Path
    """Directory with the stage's files."""
    manifest: Mapping[str, Any]
    """kind, version, recipe, inputs, axes, metrics, files with checksums, provenance."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The stage's final numbers."""
        return self.manifest["metrics"]


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """What a stage is given besides its recipe and inputs."""

    payload: Path
    """Empty directory; every file written here is published when the stage returns."""
    workdir: Path
    """Directory that survives a crash of the stage: checkpoints to resume from."""
    runtime: Runtime
    tracker: Tracker
    progress: Callable[[int, int], None]
    """Called with steps done and steps in all, as often as the stage likes."""
    stopping: Callable[[], bool] = lambda: False
    """Whether the stage shall save its work and raise `Preempted`; to be asked every second or so."""
    note: Callable[[Mapping[str, Any]], None] = lambda facts: None
    """Called with facts about this making, plain JSON values, for the provenance in the manifest."""


def canonical_json(value: object) -> str:
    """Write `value` so that equal values give equal text: sorted keys, no spaces, floats at shortest.

    Raises:
        ValueError: for NaN, infinity, keys that are not strings, or values that JSON does not know.
    """
    _check_plain(value, "recipe")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@lru_cache(maxsize=64)
def _inputs_json(inputs: tuple[tuple[str, str], ...]) -> str:
    """Canonical JSON of a stage's inputs; all evaluations of a model have the same."""
    return canonical_json(dict(inputs))


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _check_plain(value: object, where: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where}: key {key!r} is not a string")
            _check_plain(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: {value} is not a finite number")
    elif value is not None and not isinstance(value, str | int | bool):
        raise ValueError(f"{where}: {type(value).__name__} is not a plain JSON value")
