"""Micro-batches prepared in a thread of their own, a few ahead of the step that is being computed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from cambrian.task import Prepared, Task
from cambrian.workers import Workers

DEPTH = 3
"""Micro-batches that wait ready; more would cover longer delays and hold more memory."""

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Portion:
    """What one worker computes at once. All workers have as many portions of a step, some of them empty."""

    step: int
    batch: Any
    """The global batch of the step."""
    prepared: Prepared
    last: bool
    """Whether it is the last one of its step."""


def portions(
    task: Task[Any], workers: Workers, *, steps: range, micro_batch: int, device: torch.device
) -> Iterator[Portion]:
    """Prepare the portions of this worker, step after step."""
    if device.type == "cuda":  # or this thread would take memory of the first GPU
        torch.cuda.set_device(device)
    for step in steps:
        batch = task.batch(step)
        own = workers.share(task.split(batch, micro_batch))
        for number, part in enumerate(own, start=1):
            prepared = Prepared() if part is None else task.prepare(part)
            yield Portion(step=step, batch=batch, prepared=prepared, last=number == len(own))


class Ahead(Generic[Item]):
    """Takes items from an iterator in a thread of its own, at most `depth` before they are asked for.

    What the iterator raises is raised where the item would have been given. To be closed.
    """

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._items = items
        self._depth = depth
        self._ready: deque[Item] = deque()
        self._error: BaseException | None = None
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._change:
            self._change.wait_for(lambda: self._ready or self._error is not None)
            if not self._ready:
                assert self._error is not None
                raise self._error
            self._change.notify_all()
            return self._ready.popleft()

    def close(self) -> None:
        """End the thread, as soon as the item it works at is done; what is ready is dropped."""
        with self._change:
            self._closed = True
            self._ready.clear()
            self._change.notify_all()
        self._thread.join()

    def _work(self) -> None:
        try:
            while self._has_room():
                item = next(self._items)
                with self._change:
                    if not self._closed:
                        self._ready.append(item)
                    self._change.notify_all()
        except BaseException as error:  # StopIteration too: all of them are the taker's
            with self._change:
                self._error = error
                self._change.notify_all()

    def _has_room(self) -> bool:
        """Wait until an item is wanted; False if none will be."""
        with self._change:
            self._change.wait_for(lambda: self._closed or len(self._ready) < self._depth)
            return not self._closed
