"""Workers of a stage on several machines: each in a bundle of the Ray placement group of this process.

This process has the first bundle and starts the first worker as its child. In every other bundle an actor
does the same for one worker and hands on what that says. So what a worker is and does is the same everywhere.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.placement_group import PlacementGroup, get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cambrian.errors import UserError
from cambrian.stages.crew import LocalCrew
from cambrian.stages.job import Ended, Job, PlaceLost

START_SECONDS = 300.0
"""For the actors to come up; a busy machine needs a minute."""
END_SECONDS = 20.0
"""For the workers of a machine to be killed, before the machine counts as lost."""
LISTEN_SECONDS = 0.5
"""How long an actor waits for a word of its worker before it says that there is none."""


class Outpost:
    """What starts a worker in a bundle, as an actor."""

    def __init__(self) -> None:
        self._crew: LocalCrew | None = None

    def start(self, job: Job) -> None:
        """Start the worker.

        Raises:
            UserError: if this machine does not see the store.
        """
        address = ray.util.get_node_ip_address()
        if not job.workdir.is_dir():
            raise UserError(
                f"the store is not on machine {address}, where worker {job.rank} of {job.count} is to run: "
                f"{job.workdir} is missing there. All machines must see the same disk under the same path"
            )
        self._crew = LocalCrew([job], address)

    def hear(self) -> list[tuple[int, object]]:
        """Give what the worker says."""
        assert self._crew is not None
        return self._crew.hear(LISTEN_SECONDS)

    def stop(self) -> None:
        """Tell the worker to leave."""
        assert self._crew is not None
        self._crew.stop()

    def end(self) -> None:
        """Kill the worker."""
        if self._crew is not None:
            self._crew.end()


class SpreadCrew:
    """A worker here and one in every other bundle."""

    def __init__(self, job: Job) -> None:
        """Take the bundles; `start` then starts the workers.

        Raises:
            PlaceLost: if there are not all bundles any more.
        """
        group = get_current_placement_group()
        assert group is not None, "this process was not placed by Ray"
        if not group.wait(START_SECONDS):
            raise PlaceLost("Ray has lost a machine of this stage and has no other")
        self._job = job
        self._first: LocalCrew | None = None
        self._outposts: dict[int, Any] = {
            rank: _place(job, group, rank) for rank in range(1, group.bundle_count)
        }
        self._words: dict[ray.ObjectRef, int] = {}

    @classmethod
    @contextmanager
    def started(cls, job: Job) -> Iterator[SpreadCrew]:
        """Start all workers, and end them in any case."""
        crew = cls(job)
        try:
            crew.start()
            yield crew
        finally:
            crew.end()

    def start(self) -> None:
        """Start the workers, which meet at a socket of the first.

        Raises:
            PlaceLost: if an actor does not come up.
            UserError: if a machine does not see the store.
        """
        address = ray.util.get_node_ip_address()
        with socket.create_server((address, 0)) as server:
            meeting = f"tcp://{address}:{server.getsockname()[1]}"
            job = replace(self._job, rendezvous=meeting)
            starting = [
                outpost.start.remote(replace(job, rank=rank)) for rank, outpost in self._outposts.items()
            ]
            self._first = LocalCrew([replace(job, listener=server.fileno())], address)
        try:
            _get(starting, START_SECONDS)
        except RayError as error:
            raise PlaceLost(f"a machine of this stage does not answer: {error}") from error
        self._words = {outpost.hear.remote(): rank for rank, outpost in self._outposts.items()}

    def hear(self, timeout: float) -> list[tuple[int, object]]:
        """Give what the first worker says, and what has come from the others meanwhile."""
        assert self._first is not None
        messages = self._first.hear(timeout)
        if not self._words:
            return messages
        ready, _ = ray.wait(list(self._words), num_returns=len(self._words), timeout=0)
        for word in ready:
            messages += self._take(word)
        return messages

    def stop(self) -> None:
        """Tell all, wherever they are."""
        assert self._first is not None
        self._first.stop()
        for rank in self._words.values():
            self._outposts[rank].stop.remote()

    def end(self) -> None:
        """Kill all workers, then the actors."""
        if self._first is not None:
            self._first.end()
        ends = [outpost.end.remote() for outpost in self._outposts.values()]
        ray.wait(ends, num_returns=len(ends), timeout=END_SECONDS)
        for outpost in self._outposts.values():
            ray.kill(outpost)

    def _take(self, word: ray.ObjectRef) -> list[tuple[int, object]]:
        """Take the messages of one actor, and ask for more unless that was the last."""
        rank = self._words.pop(word)
        try:
            messages = _get(word)
        except RayError as error:
            how = f"lost with its machine ({str(error).splitlines()[0]})"
            return [(rank, Ended(how=how, with_its_place=True))]
        if not any(isinstance(message, Ended) for _, message in messages):
            self._words[self._outposts[rank].hear.remote()] = rank
        return messages


def _get(answer: Any, timeout: float | None = None) -> Any:  # noqa: ANN401 (whatever the actor gives)
    """Give what an actor gives, or raise what it raises as it is."""
    try:
        return ray.get(answer, timeout=timeout)
    except RayTaskError as error:
        raise error.cause from error


def _place(job: Job, group: PlacementGroup, bundle: int) -> Any:  # noqa: ANN401 (an actor's handle)
    """Put an actor into a bundle, all of which it takes; what Ray gives it, its worker sees alone."""
    return (
        ray.remote(Outpost)
        .options(
            num_cpus=max(1, job.runtime.threads),
            num_gpus=1 if job.runtime.device == "cuda" else 0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle),
        )
        .remote()
    )
