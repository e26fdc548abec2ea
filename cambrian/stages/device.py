"""The device of a stage, made ready."""

from __future__ import annotations

import torch

from cambrian.errors import UserError
from cambrian.runtime import Runtime


def prepare_device(runtime: Runtime) -> str:
    """Set the number of torch threads and return the device's name.

    Raises:
        UserError: if there is no such device here.
    """
    torch.set_num_threads(runtime.threads)
    if runtime.device.partition(":")[0] == "cuda" and not torch.cuda.is_available():
        raise UserError(f"runtime.device={runtime.device}, but torch sees no CUDA device here; use cpu")
    return runtime.device
