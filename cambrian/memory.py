"""How much memory this process has needed, and whether an error says that there was too little."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

TRAINED_BYTES = 16
"""Per trained parameter: float32 weight and gradient, and AdamW's two moments."""
FROZEN_BYTES = 2
"""Per frozen parameter, and per stored one: bfloat16."""
WHOLE = 0.8
"""Of a GPU's memory, what weights, gradients and optimizer may take in each process before they are divided
over all; the rest is for activations. Both the plan and the run go by it."""


def fits_whole(*, trained: int, frozen: int, memory: int) -> bool:
    """Whether a GPU of so many bytes has room for all of a model with so many parameters, and for work."""
    return TRAINED_BYTES * trained + FROZEN_BYTES * frozen <= WHOLE * memory


class OutOfMemory(RuntimeError):  # noqa: N818 - it names the event
    """All was done that needs less memory and leaves the result as it is, and it was not enough."""


def is_shortage(error: BaseException) -> bool:
    """Whether `error` says that memory could not be had, on the host or on an accelerator."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # that of torch
        return True
    signs = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def reset_peak() -> None:
    """Start a new peak, so that a worker that runs several stages reports each one's own.

    Raises:
        OSError: where the system does not let us (macOS, some sandboxes); the peak stays that of the process.
    """
    Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        if found is not None:
            return int(found.group(1)) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def kernel_kills() -> int:
    """How many processes Linux has killed for want of memory since it started; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
