"""Processes that train together: each works on a share of every batch, and what they find is added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import torch
import torch.distributed as dist
from torch import Tensor

from cambrian.errors import PartnerLost
from cambrian.memory import is_shortage

BUCKET_BYTES = 64 << 20
"""Tensors are sent together up to this size: few messages, little memory beside the gradients themselves."""

Part = TypeVar("Part")


class Dismissed(BaseException):
    """Raised when training ends in every worker but the first, which alone does what comes after."""


@dataclass(frozen=True, kw_only=True)
class Workers:
    """This process among those that train together. Alone, its sums are the numbers themselves."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes checkpoints, curves and results."""
        return self.rank == 0

    def share(self, parts: Sequence[Part]) -> list[Part | None]:
        """Take the parts of this worker: as many as every other takes, None where there are too few.

        They are dealt to and fro, so that parts in order of their size make shares of like size.
        """
        own: list[Part | None] = []
        for number, first in enumerate(range(0, len(parts), self.count)):
            place = first + (self.count - 1 - self.rank if number % 2 else self.rank)
            own.append(parts[place] if place < len(parts) else None)
        return own

    def sum_numbers(self, numbers: Sequence[float]) -> list[float]:
        """Add each number to its like in all workers; every worker is given the same sums."""
        if self.count == 1:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        with _partners():
            dist.all_reduce(sums)
            return sums.tolist()

    def largest(self, number: int) -> int:
        """Give the largest of what the workers name."""
        numbers = [0] * self.count
        numbers[self.rank] = number
        return int(max(self.sum_numbers(numbers)))

    def sum_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by the sum of its like in all workers, which have the same shapes in order."""
        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            with _partners():
                dist.all_reduce(flat)
            sums = flat.split([tensor.numel() for tensor in bucket])
            for tensor, total in zip(bucket, sums, strict=True):
                tensor.copy_(total.view_as(tensor))

    def gather(self, items: Sequence[Part]) -> list[Part]:
        """Give the items of all workers, in their order, to every one of them."""
        if self.count == 1:
            return list(items)
        found: list[Any] = [None] * self.count
        with _partners():
            dist.all_gather_object(found, list(items))
        return [item for each in found for item in each]


def current_workers(device: str) -> Workers:
    """Give the workers that this process has joined, or itself alone."""
    if not dist.is_initialized():
        return Workers(device=device)
    return Workers(rank=dist.get_rank(), count=dist.get_world_size(), device=device)


@contextmanager
def joined(rank: int, count: int, rendezvous: str, listener: int | None, device: str) -> Iterator[None]:
    """Make this process worker `rank` of `count` for a while.

    They meet at `rendezvous`, `file:///PATH` or `tcp://HOST:PORT`; the first of them serves the latter, by
    the descriptor `listener` of a socket that listens there. NCCL moves tensors between GPUs, Gloo between
    CPUs. After an error the others may be waiting in a sum, and leaving in order would wait for them: the
    process is then to end as it is.
    """
    on_cuda = device.startswith("cuda")
    if on_cuda:
        torch.cuda.set_device(device)
    place = urlsplit(rendezvous)
    if place.scheme == "file":
        store = dist.FileStore(place.path, count)  # pyright: ignore[reportPrivateImportUsage]
    else:
        assert place.hostname is not None and place.port is not None, rendezvous
        store = dist.TCPStore(  # pyright: ignore[reportPrivateImportUsage]
            place.hostname, place.port, count, is_master=rank == 0, master_listen_fd=listener
        )
    dist.init_process_group("nccl" if on_cuda else "gloo", store=store, rank=rank, world_size=count)
    yield
    dist.destroy_process_group()


@contextmanager
def _partners() -> Iterator[None]:
    """Name the error by which Gloo and NCCL say that a worker is gone or out of reach."""
    try:
        yield
    except RuntimeError as error:
        if is_shortage(error):
            raise
        raise PartnerLost(f"cannot sum over all workers of this stage any more: {error}") from error


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Group neighbours of one type up to the size of a bucket, alike in every worker."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (tensor.dtype != bucket[0].dtype or size + tensor.nbytes > BUCKET_BYTES):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket
