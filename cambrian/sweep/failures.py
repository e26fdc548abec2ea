"""Why a stage has no result: the class of the failure, and what is done about each class."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cambrian.errors import DataError, PartnerLost, UserError
from cambrian.stages.job import WorkerDied
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.files import CorruptEntryError, is_full_disk
from cambrian.sweep.owner import LeaseLostError


class FailureClass(StrEnum):
    """What has to change before another attempt can go better."""

    CONFIG = "config"
    """The settings."""
    DATA = "data"
    """The files that the stage reads."""
    NUMERIC = "numeric"
    """The course of the training: a number stopped being one."""
    OUT_OF_MEMORY = "out of memory"
    """The size of what is in memory at the same time, or the machine."""
    INFRASTRUCTURE = "infrastructure"
    """Nothing of the study: a disk, a network, a machine."""
    BUG = "bug"
    """The code."""


WAITS: Mapping[FailureClass, tuple[float, ...]] = MappingProxyType(
    {
        FailureClass.CONFIG: (),
        FailureClass.DATA: (),
        FailureClass.NUMERIC: (),  # the same numbers would come again, bit for bit
        FailureClass.OUT_OF_MEMORY: (),  # training makes its micro-batch smaller before it fails with this
        FailureClass.INFRASTRUCTURE: (5.0, 30.0),
        FailureClass.BUG: (),
    }
)
"""The policy of each class: seconds before each further attempt, which starts from the last checkpoint."""

KNOWN: Mapping[type[BaseException] | str, FailureClass] = MappingProxyType(
    {
        UserError: FailureClass.CONFIG,
        DataError: FailureClass.DATA,
        UnicodeError: FailureClass.DATA,
        json.JSONDecodeError: FailureClass.DATA,
        EOFError: FailureClass.DATA,
        FileNotFoundError: FailureClass.DATA,
        FileExistsError: FailureClass.DATA,
        NotADirectoryError: FailureClass.DATA,
        IsADirectoryError: FailureClass.DATA,
        PermissionError: FailureClass.DATA,
        "PIL.UnidentifiedImageError": FailureClass.DATA,
        "safetensors._safetensors_rust.SafetensorError": FailureClass.DATA,
        ArithmeticError: FailureClass.NUMERIC,
        MemoryError: FailureClass.OUT_OF_MEMORY,
        "torch.OutOfMemoryError": FailureClass.OUT_OF_MEMORY,
        "cambrian.memory.OutOfMemory": FailureClass.OUT_OF_MEMORY,
        "ray.exceptions.OutOfMemoryError": FailureClass.OUT_OF_MEMORY,
        OSError: FailureClass.INFRASTRUCTURE,
        CorruptEntryError: FailureClass.INFRASTRUCTURE,
        LeaseLostError: FailureClass.INFRASTRUCTURE,
        MissingArtifactError: FailureClass.INFRASTRUCTURE,
        WorkerDied: FailureClass.INFRASTRUCTURE,
        PartnerLost: FailureClass.INFRASTRUCTURE,
        "cambrian.sweep.tuner.WorkerPreempted": FailureClass.INFRASTRUCTURE,
        "ray.exceptions.RayError": FailureClass.INFRASTRUCTURE,
        "torch.distributed.DistError": FailureClass.INFRASTRUCTURE,
        "httpx.TransportError": FailureClass.INFRASTRUCTURE,
    }
)
"""Exceptions by type; by name where importing the type would be heavy. The most specific one counts."""

MEMORY_WORDS = ("can't allocate memory", "Cannot allocate memory", "not enough memory", "out of memory")
"""What a RuntimeError or OSError says for want of memory."""

LINE_LENGTH = 200
"""Of a message in one line; the whole of it is in the stage's log."""

KILLED = "its worker died (killed, or out of memory?)"
KILLED_FOR_MEMORY = "its worker was killed because the machine ran out of memory"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a stage has no result; plain text, so that it can leave a worker."""

    failure_class: FailureClass
    reason: str
    """One line."""
    trace: str
    """Traceback; for an error that the user can mend, its message alone."""
    attempts: int = 1

    @staticmethod
    def of(error: BaseException, attempts: int = 1) -> Failure:
        """Describe `error`, which is being handled, after so many attempts."""
        text = str(error).strip()
        lines = [text, *getattr(error, "__notes__", ())]
        first = "; ".join(_shorten(line.splitlines()[0]) for line in lines if line)
        name = type(error).__name__
        mendable = isinstance(error, UserError)
        return Failure(
            failure_class=classify(error),
            reason=f"{name}: {first}" if first else name,
            trace=text if mendable else "".join(traceback.format_exception(error)).rstrip(),
            attempts=attempts,
        )

    @staticmethod
    def of_dead_worker(*, for_memory: bool) -> Failure:
        """Describe the death of a worker that did not come to say why, in each of its attempts."""
        what = FailureClass.OUT_OF_MEMORY if for_memory else FailureClass.INFRASTRUCTURE
        reason = KILLED_FOR_MEMORY if for_memory else KILLED
        return Failure(failure_class=what, reason=reason, trace=reason, attempts=1 + RETRIES_OF_WORKERS)

    @property
    def wait(self) -> float | None:
        """Seconds before the next attempt; None if there is to be none."""
        waits = WAITS[self.failure_class]
        return waits[self.attempts - 1] if self.attempts <= len(waits) else None


RETRIES_OF_WORKERS = len(WAITS[FailureClass.INFRASTRUCTURE])
"""How often a task is given to another worker after one died: whether for memory, nobody could tell."""


def classify(error: BaseException) -> FailureClass:
    """Say what class of failure `error` is: by itself, else by what it was raised from; else it is a bug."""
    if is_full_disk(error):
        return FailureClass.INFRASTRUCTURE
    if _child_was_killed(error) or _wants_memory(error):
        return FailureClass.OUT_OF_MEMORY
    for kind in type(error).__mro__:
        found = KNOWN.get(kind) or KNOWN.get(f"{kind.__module__}.{kind.__qualname__}")
        if found is not None:
            return found
    return FailureClass.BUG if error.__cause__ is None else classify(error.__cause__)


def _shorten(line: str) -> str:
    return line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}..."


def _wants_memory(error: BaseException) -> bool:
    """Torch on a CPU, and some calls of CUDA and the system, say it in words alone."""
    return isinstance(error, RuntimeError | OSError) and any(word in str(error) for word in MEMORY_WORDS)


def _child_was_killed(error: BaseException) -> bool:
    """Whether a process that the stage had started was killed from outside, which is the kernel's way.

    `subprocess` and `torch.multiprocessing` say it by attributes of their own exceptions.
    """
    return getattr(error, "returncode", None) in (-9, 137) or getattr(error, "signal_name", None) == "SIGKILL"
