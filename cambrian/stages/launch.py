"""Run a stage: in this process, or in several that train together, on this machine or on several.

The several are started and watched from here and do not outlive this process. The first of them reports what
a stage reports; this process takes no part in the training, so it notices at once when one of them dies.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cambrian.errors import PartnerLost
from cambrian.stages.base import Artifact, Recipe, StageContext, StageKind
from cambrian.stages.crew import Crew, LocalCrew
from cambrian.stages.job import Ended, Job, PlaceLost, Report, WorkerDied

POLL_SECONDS = 0.5
"""How often to ask whether to stop."""
SETTLE_SECONDS = 2.0
"""After the first failure, time for the others to say theirs: the cause may come after its consequences."""

logger = logging.getLogger(__name__)


def run_stage(
    kind: StageKind, recipe: Recipe, inputs: Mapping[str, Artifact], context: StageContext
) -> dict[str, Any]:
    """Run the function of `kind`, as `runtime.processes` workers if it can share its work.

    Raises:
        WorkerDied: if a worker was killed.
        PlaceLost: if a machine was lost on which some of the workers ran.
        Exception: whatever the stage raises.
    """
    count = context.runtime.processes if kind.parallel else 1
    if count == 1:
        return kind.load()(recipe, inputs, context)
    job = Job(
        function=kind.function,
        recipe=recipe,
        inputs=dict(inputs),
        payload=context.payload,
        workdir=context.workdir,
        runtime=context.runtime,
        rank=0,
        count=count,
        rendezvous="",
    )
    with _crew(job) as crew:
        return _Team(job, context, crew).run()


@contextmanager
def _crew(job: Job) -> Iterator[Crew]:
    """Start the workers, and end them in any case."""
    if job.runtime.spread:
        from cambrian.stages.spread import SpreadCrew  # Ray, which is there, for it has placed this process

        with SpreadCrew.started(job) as spread:
            yield spread
        return
    with tempfile.TemporaryDirectory(prefix="cambrian-workers-") as folder:
        meeting = f"file://{Path(folder) / 'rendezvous'}"
        crew = LocalCrew([replace(job, rank=rank, rendezvous=meeting) for rank in range(job.count)])
        try:
            yield crew
        finally:
            crew.end()


class _Team:
    """The workers of one stage, and what they have said."""

    def __init__(self, job: Job, context: StageContext, crew: Crew) -> None:
        self._job = job
        self._context = context
        self._crew = crew
        self._working = set(range(job.count))
        self._reports: dict[int, Report] = {}

    def run(self) -> dict[str, Any]:
        """Listen to all until the last has ended, and give what the first returned."""
        told, give_up = False, float("inf")
        while self._working and time.monotonic() < give_up:
            for rank, message in self._crew.hear(POLL_SECONDS):
                self._receive(rank, message)
            if give_up == float("inf") and any(report.error for report in self._reports.values()):
                give_up = time.monotonic() + SETTLE_SECONDS
            if not told and self._context.stopping():
                told = True
                self._crew.stop()
        self._raise_cause()
        metrics = self._reports[0].metrics
        assert metrics is not None, "the first worker returned nothing"
        return metrics

    def _receive(self, rank: int, message: object) -> None:
        """Take one message of a worker."""
        if isinstance(message, Ended):
            self._working.discard(rank)
            if rank not in self._reports:
                self._reports[rank] = Report(error=self._epitaph(rank, message), seconds=0.0)
        elif isinstance(message, Report):
            self._reports[rank] = message
        elif isinstance(message, logging.LogRecord):
            target = logging.getLogger(message.name)
            if target.isEnabledFor(message.levelno):
                target.handle(message)
        else:
            assert isinstance(message, tuple), message
            name, arguments = message
            relay = {
                "log": lambda metrics, step: self._context.tracker.log(metrics, step=step),
                "progress": self._context.progress,
                "note": self._context.note,
            }
            relay[name](*arguments)

    def _epitaph(self, rank: int, end: Ended) -> BaseException:
        text = f"worker {rank} of {self._job.count} of this stage ended without a word: {end.how}"
        return PlaceLost(text) if end.with_its_place else WorkerDied(text)

    def _raise_cause(self) -> None:
        """Raise the failure that came first; a death counts as earlier than what the others say of it."""
        failed = [report for report in self._reports.values() if report.error is not None]
        if not failed:
            return
        first = min(failed, key=lambda report: (isinstance(report.error, PartnerLost), report.seconds))
        assert first.error is not None
        if first.trace:
            first.error.add_note(first.trace)
        if isinstance(first.error, PlaceLost):  # others note what is an `Exception`
            logger.warning("%s", first.error)
        raise first.error
