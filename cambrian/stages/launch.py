"""Run a stage: in this process, or in several that train together on this machine.

The several are started and watched from here and do not outlive this process. The first of them reports what
a stage reports; this process takes no part in the training, so it notices at once when one of them dies.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from cambrian.runtime import Runtime
from cambrian.stages.base import Artifact, Recipe, StageContext, StageKind

POLL_SECONDS = 0.5
"""How often to ask whether to stop."""
SETTLE_SECONDS = 2.0
"""After the first failure, time for the others to say theirs: the cause may come after its consequences."""
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is told to do."""

    function: str
    """`module:function` of the stage."""
    recipe: Recipe
    inputs: Mapping[str, Artifact]
    payload: Path
    workdir: Path
    runtime: Runtime
    rank: int
    count: int
    rendezvous: Path
    """File at which the workers find each other."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The last word of a worker."""

    metrics: dict[str, Any] | None = None
    """What the stage returned, in the first worker."""
    error: BaseException | None = None
    trace: str = ""
    """Traceback of the error, which does not leave its process with it."""
    seconds: float = field(default_factory=time.monotonic)
    """Time of the report, on the clock that processes of one machine share."""


class WorkerDied(RuntimeError):  # noqa: N818 - it names the event
    """A worker of a stage has ended without a word."""


def run_stage(
    kind: StageKind, recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext
) -> dict[str, Any]:
    """Run the function of `kind`, as `runtime.processes` workers if it can share its work.

    Raises:
        WorkerDied: if a worker was killed.
        Exception: whatever the stage raises.
    """
    count = context.runtime.processes if kind.parallel else 1
    if count == 1:
        return kind.load()(recipe, inputs, context)
    with tempfile.TemporaryDirectory(prefix="cambrian-workers-") as folder:
        job = Job(
            function=kind.function,
            recipe=recipe,
            inputs=dict(inputs),
            payload=context.payload,
            workdir=context.workdir,
            runtime=context.runtime,
            rank=0,
            count=count,
            rendezvous=Path(folder) / "rendezvous",
        )
        team = _Team(job, context)
        try:
            return team.run()
        finally:
            team.end()


class _Team:
    """The processes of one stage."""

    def __init__(self, job: Job, context: StageContext) -> None:
        self._job = job
        self._context = context
        self._processes: dict[Connection, subprocess.Popen[bytes]] = {}
        self._ranks: dict[Connection, int] = {}
        self._reports: dict[int, Report] = {}

    def run(self) -> dict[str, Any]:
        """Start all, listen to them until the last has ended, and give what the first returned."""
        for rank in range(self._job.count):
            self._start(rank)
        told, give_up = False, float("inf")
        while self._ranks and time.monotonic() < give_up:
            for link in wait(list(self._ranks), timeout=POLL_SECONDS):
                assert isinstance(link, Connection)
                self._receive(link)
            if give_up == float("inf") and any(report.error for report in self._reports.values()):
                give_up = time.monotonic() + SETTLE_SECONDS
            if not told and self._context.stopping():
                told = True
                for link in self._ranks:
                    _tell(link, "stop")
        self._raise_cause()
        metrics = self._reports[0].metrics
        assert metrics is not None, "the first worker returned nothing"
        return metrics

    def end(self) -> None:
        """Kill what is left of the processes."""
        for link, process in self._processes.items():
            link.close()
            process.kill()
            process.wait()

    def _start(self, rank: int) -> None:
        ours, theirs = Pipe()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "cambrian.stages.worker", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **self._environment()},
            )
        self._processes[ours] = process
        self._ranks[ours] = rank
        device = self._job.runtime.device
        own = f"cuda:{rank}" if device == "cuda" else device
        _tell(ours, replace(self._job, rank=rank, runtime=replace(self._job.runtime, device=own)))

    def _environment(self) -> dict[str, str]:
        """The search path of this process, and this machine's own network alone."""
        return {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "OMP_NUM_THREADS": str(max(1, self._job.runtime.threads)),
            "GLOO_SOCKET_IFNAME": LOOPBACK,
            "NCCL_SOCKET_IFNAME": LOOPBACK,
        }

    def _receive(self, link: Connection) -> None:
        """Take one message of a worker, or note its end."""
        rank = self._ranks[link]
        try:
            message = link.recv()
        except (EOFError, ConnectionError):
            del self._ranks[link]
            code = self._processes[link].wait()
            if rank not in self._reports:
                self._reports[rank] = Report(error=WorkerDied(self._epitaph(rank, code)), seconds=0.0)
            return
        if isinstance(message, Report):
            self._reports[rank] = message
        elif isinstance(message, logging.LogRecord):
            logger = logging.getLogger(message.name)
            if logger.isEnabledFor(message.levelno):
                logger.handle(message)
        else:
            name, arguments = message
            relay = {
                "log": lambda metrics, step: self._context.tracker.log(metrics, step=step),
                "progress": self._context.progress,
                "note": self._context.note,
            }
            relay[name](*arguments)

    def _epitaph(self, rank: int, code: int) -> str:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"worker {rank} of {self._job.count} of this stage {how}{hint} without a word"

    def _raise_cause(self) -> None:
        """Raise the failure that came first; a death counts as earlier than what the others say of it."""
        failed = [report for report in self._reports.values() if report.error is not None]
        if failed:
            first = min(failed, key=lambda report: report.seconds)
            assert first.error is not None
            if first.trace:
                first.error.add_note(first.trace)
            raise first.error


def _tell(link: Connection, message: object) -> None:
    with suppress(BrokenPipeError):  # it has ended, which the next look at `link` finds
        link.send(message)
