"""Tensors of which every worker holds some rows: how one is told from a whole one, and which rows are here.

Workers divide a tensor by its first dimension into runs of equally many rows, but for the last ones, which
may be shorter or empty (FSDP2's way: `torch.distributed.tensor`'s `Shard(0)`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a whole tensor that are here: from `start` to before `stop`."""

    start: int
    stop: int


def is_divided(tensor: Tensor) -> bool:
    """Whether this worker holds some rows of `tensor` only: a DTensor, whose module takes long to import."""
    return hasattr(tensor, "to_local")


def local(tensor: Tensor) -> Tensor:
    """The rows of `tensor` that are here, in the same memory; a whole tensor is given as it is."""
    divided: Any = tensor.detach() if is_divided(tensor) else tensor
    return divided.to_local() if is_divided(tensor) else tensor


def rows(tensor: Tensor) -> Rows | None:
    """Say which rows of a divided tensor are here; None if all are."""
    if not is_divided(tensor):
        return None
    divided: Any = tensor
    count, rank = divided.device_mesh.size(), divided.device_mesh.get_local_rank()
    each = -(-tensor.shape[0] // count)
    start = min(rank * each, tensor.shape[0])
    here = local(tensor)
    assert here.shape[0] == min(start + each, tensor.shape[0]) - start, (here.shape, tensor.shape, rank)
    return Rows(start=start, stop=start + here.shape[0])


def whole(tensor: Tensor) -> Tensor:
    """All rows of `tensor`; every worker has to ask for them."""
    divided: Any = tensor
    return divided.full_tensor() if is_divided(tensor) else tensor
