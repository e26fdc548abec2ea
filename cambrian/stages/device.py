"""The device of a stage, made ready, and what its training is told about this machine."""

from __future__ import annotations

import torch

from cambrian.errors import UserError
from cambrian.hardware import peak_flops
from cambrian.runtime import Runtime
from cambrian.stages.base import StageContext
from cambrian.training import Conditions


def prepare_device(runtime: Runtime) -> str:
    """Set the number of torch threads and return the device's name.

    Raises:
        UserError: if there is no such device here.
    """
    torch.set_num_threads(runtime.threads)
    if runtime.device.partition(":")[0] == "cuda" and not torch.cuda.is_available():
        raise UserError(f"runtime.device={runtime.device}, but torch sees no CUDA device here; use cpu")
    return runtime.device


def training_conditions(context: StageContext) -> Conditions:
    """Make the device ready and say under which conditions to train.

    Raises:
        UserError: if there is no such device here.
    """
    device = prepare_device(context.runtime)
    return Conditions(
        workdir=context.workdir,
        device=device,
        peak_flops=peak_flops(torch.cuda.get_device_name(device)) if device.startswith("cuda") else None,
        micro_batch=context.runtime.micro_batch,
        checkpoint_seconds=context.runtime.checkpoint_seconds,
        tracker=context.tracker,
        progress=context.progress,
        stopping=context.stopping,
        note=context.note,
    )
