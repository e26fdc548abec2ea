"""What passes between the process that runs a stage and the several workers that it may have."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.runtime import Runtime
from cambrian.stages.base import Artifact, Recipe


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is told to do."""

    function: str
    """`module:function` of the stage."""
    recipe: Recipe
    inputs: Mapping[str, Artifact]
    payload: Path
    workdir: Path
    runtime: Runtime
    rank: int
    count: int
    rendezvous: str
    """Where the workers find each other: `file:///PATH` on one machine, `tcp://HOST:PORT` on several."""
    listener: int | None = None
    """Descriptor of the socket that listens at a TCP rendezvous, in the first worker."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The last word of a worker."""

    metrics: dict[str, Any] | None = None
    """What the stage returned, in the first worker."""
    error: BaseException | None = None
    trace: str = ""
    """Traceback of the error, which does not leave its process with it."""
    seconds: float = field(default_factory=time.time)
    """Time of the report, on a clock that machines share as well as they can."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of a worker, after which it says nothing more."""

    how: str
    """Of one that had not reported, in words."""
    with_its_place: bool = False
    """Whether the machine, or what started the worker there, is gone too."""


class WorkerDied(RuntimeError):  # noqa: N818 - it names the event
    """A worker of a stage has ended without a word."""


class PlaceLost(BaseException):
    """A machine that a stage ran on besides this one is gone.

    Not an `Exception`: what is tried again within this process would have no place to run. Who has placed
    the stage is to do it again.
    """
