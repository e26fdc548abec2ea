"""Make one stage, once: the same function in this process and in a worker of a cluster."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from cambrian.runtime import Runtime, Tracker
from cambrian.stages.base import KINDS, Artifact, Stage, StageContext
from cambrian.stages.launch import run_stage
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.failures import Failure
from cambrian.sweep.files import explain_full_disk
from cambrian.sweep.lease import Lease
from cambrian.sweep.provenance import Stopwatch, code_fingerprint
from cambrian.sweep.store import Store

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


class NonFiniteMetricsError(ArithmeticError):
    """A stage came out with NaN or infinity among its metrics; it is not published."""


def produce(
    stage: Stage,
    store: Store,
    runtime: Runtime,
    make_tracker: Callable[[Stage], Tracker],
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Artifact:
    """Return the finished `stage`, making it first unless the store has it or another process makes it.

    Raises:
        MissingArtifactError: if the store lacks one of its inputs.
        NonFiniteMetricsError: if its metrics are not finite.
        LeaseLostError: if this process was thought dead and another one took over.
        Preempted: after `stopping` said so; what the stage has saved stays.
    """
    found = store.find(stage.kind, stage.digest)
    if found is not None:
        return found
    with _lease(stage, store) as lease:
        found = store.find(stage.kind, stage.digest)
        if found is not None:
            return found
        return _make(stage, store, runtime, make_tracker, progress or _silent, stopping, lease)


def load_inputs(stage: Stage, store: Store) -> dict[str, Artifact]:
    """Load the results that `stage` builds on, by role, with their checksums verified.

    Raises:
        MissingArtifactError: naming the role and what to do.
    """
    inputs = {}
    for role, digest in stage.inputs.items():
        kind = store.kind_of(digest)
        try:
            if kind is None:
                raise MissingArtifactError(f"{digest[:12]} is not in the store {store.place}")
            inputs[role] = store.load(kind, digest)
        except MissingArtifactError as missing:
            raise MissingArtifactError(
                f"{stage.label} needs the input '{role}', but {missing}; the same command makes it"
            ) from None
    return inputs


def check_metrics(label: str, metrics: Mapping[str, Any]) -> None:
    """Refuse metrics with NaN or infinity anywhere in them.

    Raises:
        NonFiniteMetricsError: naming the stage and every such metric.
    """
    bad = [name for name, value in metrics.items() if not _is_finite(value)]
    if bad:
        raise NonFiniteMetricsError(f"{label}: not a finite number: {', '.join(bad)}; nothing is stored")


@contextmanager
def _lease(stage: Stage, store: Store) -> Iterator[Lease]:
    """Hold the lease on `stage`; if the disk has no room for that, the error says what is free."""
    with ExitStack() as stack:
        try:
            lease = stack.enter_context(store.lease(stage.digest, stage.label, tuple(stage.inputs.values())))
        except OSError as error:
            explain_full_disk(error, store.root)
            raise
        yield lease


def _make(
    stage: Stage,
    store: Store,
    runtime: Runtime,
    make_tracker: Callable[[Stage], Tracker],
    progress: Progress,
    stopping: Callable[[], bool],
    lease: Lease,
) -> Artifact:
    inputs = load_inputs(stage, store)
    code = {"fingerprint": code_fingerprint(stage.kind)}
    payload = store.payload(lease)
    tracker = make_tracker(stage)
    stopwatch = Stopwatch()
    facts: dict[str, Any] = {}
    try:
        with store.workdir(stage.digest) as workdir:
            context = StageContext(
                payload=payload,
                workdir=workdir,
                runtime=runtime,
                tracker=tracker,
                progress=progress,
                stopping=stopping,
                note=facts.update,
            )
            metrics = run_stage(KINDS[stage.kind], stage.recipe, inputs, context)
        check_metrics(stage.label, metrics)
        provenance = stopwatch.provenance(stage.work) | facts
        artifact = store.publish(
            stage, payload, metrics=metrics, code=code, provenance=provenance, lease=lease
        )
        tracker.summarize(metrics)
    except Exception as error:
        explain_full_disk(error, store.root, payload, store.root / "work" / stage.digest)
        failure = Failure.of(error)
        tracker.fail(failure.reason, failure.trace)
        raise
    finally:
        tracker.close()
        store.discard(payload)
    store.discard_work(stage.digest)
    log.info("%s done in %.1f s", stage.label, provenance["seconds"])
    return artifact


def _is_finite(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_is_finite(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


def _silent(done: int, total: int) -> None:
    """Report progress to nobody."""
