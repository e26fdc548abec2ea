"""Number types: what a device computes in."""

from __future__ import annotations

import torch


def compute_type(device: torch.device | str) -> torch.dtype:
    """Type of matrix products: bfloat16 on CUDA, float32 elsewhere. All else about number types follows it.

    Where it is float32, all weights are. Where it is less, what trains has its weights in float32 all the
    same, and what is frozen has them as they are in its files.
    """
    return torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32


def lowered(device: torch.device | str) -> torch.autocast:
    """Let matrix products inside the `with` be in the type of the device."""
    dtype = compute_type(device)
    # No weight is used twice in a pass; a cache would keep a second copy of all of them.
    return torch.autocast(
        torch.device(device).type, dtype=dtype, enabled=dtype is not torch.float32, cache_enabled=False
    )
