"""What is left of a failed stage: `<store>/failed/<digest>.json`, until the stage is made."""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.failures import Failure, FailureClass
from cambrian.sweep.files import write_durably
from cambrian.sweep.stage_log import log_path
from cambrian.sweep.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FailureRecord:
    """One failed stage: why, where, and all that it takes to try again."""

    digest: str
    failure_class: FailureClass
    message: str
    """One line."""
    attempts: int
    host: str
    pid: int
    time: str
    """UTC."""
    log: str
    """Path of the stage's log, below the store."""
    stage: Mapping[str, Any]
    """kind, recipe, inputs, label, axes and work."""
    runtime: Mapping[str, Any]
    """Settings of the session, without the store."""

    def rebuild_stage(self) -> Stage:
        """The stage as it was planned; with another digest if its kind has a new version since."""
        return Stage(**self.stage)

    def rebuild_runtime(self, store: Path) -> Runtime:
        """The settings under which it failed, as far as this version of the program knows them."""
        known = {field.name for field in fields(Runtime)} & self.runtime.keys()
        values: dict[str, Any] = {name: self.runtime[name] for name in known}
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        data = values.get("data")
        return Runtime(**{**values, **lists, "data": None if data is None else Path(data), "store": store})


def write_record(store: Store, stage: Stage, runtime: Runtime, failure: Failure) -> None:
    """Note that `stage` failed, in place of what was noted before; a disk that refuses costs a warning."""
    record = FailureRecord(
        digest=stage.digest,
        failure_class=failure.failure_class,
        message=failure.reason,
        attempts=failure.attempts,
        host=platform.node(),
        pid=os.getpid(),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        log=log_path(store, stage.digest).relative_to(store.root).as_posix(),
        stage={field.name: getattr(stage, field.name) for field in fields(Stage)},
        runtime={
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(runtime).items()
            if name != "store"
        },
    )
    path = record_path(store, stage.digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps(asdict(record), indent=1).encode())
        store.share(path)
    except OSError as error:
        log.warning("cannot note the failure of %s: %s", stage.label, error)


def clear_record(store: Store, digest: str) -> None:
    """Forget the failure of a stage that is finished now."""
    store.withdraw(record_path(store, digest))


def read_records(store: Store) -> Iterator[FailureRecord]:
    """Give what is noted of each failed stage, by digest; not of those that are finished since."""
    for path in store.gather("failed"):
        if path.suffix != ".json" or store.own_kind_of(path.stem):
            continue
        try:
            yield _read(path)
        except FileNotFoundError:
            continue  # made in this moment
        except (KeyError, TypeError, ValueError) as error:
            log.warning("unreadable record of a failure, delete it: %s (%s)", path, error)


def record_path(store: Store, digest: str) -> Path:
    """Where the failure of a stage is noted."""
    return store.root / "failed" / f"{digest}.json"


def _read(path: Path) -> FailureRecord:
    values = json.loads(path.read_text())
    return FailureRecord(**{**values, "failure_class": FailureClass(values["failure_class"])})
