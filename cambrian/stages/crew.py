"""Workers of a stage as child processes of this one, and what they have in common with workers elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, Pipe, wait
from typing import Protocol

import psutil

from cambrian.memory import kernel_kills
from cambrian.stages.job import Ended, Job

LOOPBACK = "127.0.0.1"
"""The address by which workers of one machine meet."""


class Crew(Protocol):
    """The workers of one stage, wherever they run."""

    def hear(self, timeout: float) -> list[tuple[int, object]]:
        """Wait up to `timeout` seconds for messages, and give them with the ranks of their workers.

        A message is what `cambrian.stages.worker` sends, or at last `Ended`.
        """
        ...

    def stop(self) -> None:
        """Tell all to save their work and leave."""
        ...

    def end(self) -> None:
        """Kill what is left of them; nothing runs any more when this returns."""
        ...


class LocalCrew:
    """Workers on this machine, one process each, which do not outlive this one."""

    def __init__(self, jobs: Sequence[Job], address: str = LOOPBACK) -> None:
        """Start a worker for each of `jobs`.

        Args:
            jobs: the n-th of them takes the n-th GPU that this process sees, if the device is cuda.
            address: of this machine, by which the workers reach each other.
        """
        self._kills = kernel_kills()
        self._processes: dict[Connection, subprocess.Popen[bytes]] = {}
        self._jobs: dict[Connection, Job] = {}
        variables = worker_environment(jobs[0].runtime.threads, address)
        for index, job in enumerate(jobs):
            self._start(job, index, variables)

    def hear(self, timeout: float) -> list[tuple[int, object]]:
        """Give what those have to say that have not ended."""
        messages: list[tuple[int, object]] = []
        for link in wait(list(self._jobs), timeout):
            assert isinstance(link, Connection)
            job = self._jobs[link]
            try:
                messages.append((job.rank, link.recv()))
            except (EOFError, ConnectionError):
                del self._jobs[link]
                messages.append((job.rank, Ended(how=self._describe(self._processes[link].wait()))))
        return messages

    def stop(self) -> None:
        """Send the word through every pipe."""
        for link in self._jobs:
            _tell(link, "stop")

    def end(self) -> None:
        """Kill them and wait for it."""
        for link, process in self._processes.items():
            link.close()
            process.kill()
            process.wait()

    def _start(self, job: Job, index: int, variables: dict[str, str]) -> None:
        ours, theirs = Pipe()
        given = [theirs.fileno(), *([] if job.listener is None else [job.listener])]
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "cambrian.stages.worker", str(theirs.fileno()), str(os.getpid())],
                pass_fds=given,
                env={**os.environ, **variables},
            )
        self._processes[ours] = process
        self._jobs[ours] = job
        device = job.runtime.device
        own = f"cuda:{index}" if device == "cuda" else device
        _tell(ours, replace(job, runtime=replace(job.runtime, device=own)))

    def _describe(self, code: int) -> str:
        if code >= 0:
            return f"exit code {code}"
        for_memory = code == -signal.SIGKILL and kernel_kills() > self._kills
        hint = ", for its machine ran out of memory" if for_memory else ""
        return f"killed by {signal.Signals(-code).name}{hint}"


def worker_environment(threads: int, address: str) -> dict[str, str]:
    """Give a worker the search path of this process, and the network interface that has `address`.

    Raises:
        OSError: if none has.
    """
    variables = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": str(max(1, threads)),
    }
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        if address == LOOPBACK or name not in os.environ:  # between machines, who runs them may know better
            variables[name] = _interface(address)
    return variables


def _interface(address: str) -> str:
    """Name of this machine's network interface that has `address`."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == address for one in addresses):
            return name
    raise OSError(f"no network interface of this machine has the address {address}")


def _tell(link: Connection, message: object) -> None:
    with suppress(BrokenPipeError):  # it has ended, which the next look at `link` finds
        link.send(message)
