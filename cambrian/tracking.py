"""Where a stage's numbers go while it runs: a JSONL file always, Weights & Biases when asked for.

Records are best effort: the store's manifest is the result, so a full disk or a broken W&B costs a warning
and the rest of that record, never the stage.
"""

from __future__ import annotations

import json
import logging
import math
import netrc
import os
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from cambrian.runtime import Runtime, Tracker
from cambrian.stages.base import KINDS, Stage

LOG = logging.getLogger(__name__)
WANDB_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""Where a login in ~/.netrc may be for."""
WANDB_ACCOUNT = ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ENTITY")
"""The part of W&B's environment that is the user's to set; all else is decided here."""
TAG_LENGTH = 64
"""W&B refuses longer tags."""


class JsonlTracker:
    """One JSON object per line: `{"time", "step", metric: value...}`, at the end `{"time", "summary"}`.

    A stage that is resumed appends, so a step may occur twice; the later line counts.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Write `metrics` of `step` as one line; a number that is not finite becomes null."""
        values = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        self._write({"step": step, **values})

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Write the final `metrics` as one line."""
        self._write({"summary": dict(metrics)})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, record: Mapping[str, object]) -> None:
        self._file.write(json.dumps({"time": round(time.time(), 3), **record}) + "\n")
        self._file.flush()


class WandbTracker:
    """One W&B run per executed stage, below `<store>/tracking/wandb`.

    Group is the sweep, job type the kind of stage, tags the axes, config the resolved recipe; the id follows
    from the digest, so that a resumed stage continues its run.
    """

    def __init__(self, stage: Stage, runtime: Runtime) -> None:
        directory = tracking_directory(runtime)
        directory.mkdir(parents=True, exist_ok=True)
        mode = wandb_mode(runtime)
        with _wandb_environment(runtime):
            import wandb

            self._run = wandb.init(
                project=runtime.wandb_project,
                group=runtime.group,
                job_type=stage.kind,
                name=stage.label,
                id=stage.digest[:16],
                tags=wandb_tags(stage.axes),
                config=_wandb_config(stage),
                dir=str(directory),
                mode=mode,
                resume="allow" if mode == "online" else None,
                reinit="create_new",
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    init_timeout=20,
                    login_timeout=1,
                    save_code=False,
                    symlink=False,
                    disable_git=True,
                    disable_job_creation=True,
                    x_disable_stats=True,
                    x_disable_machine_info=True,
                    x_save_requirements=False,
                ),
            )
        self._complete = False

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Add `metrics` to the run's history."""
        self._run.log(dict(metrics), step=step)

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Put the final `metrics` into the run's summary."""
        self._run.summary.update(dict(metrics))
        self._complete = True

    def close(self) -> None:
        """End the run; one without a summary is marked as failed."""
        self._run.finish(exit_code=0 if self._complete else 1)


class GuardedTracker:
    """Several trackers as one, of which each is dropped with a warning once it fails."""

    def __init__(self, label: str, makers: Mapping[str, Callable[[], Tracker]]) -> None:
        self._label = label
        self._live: dict[str, Tracker] = {}
        for name, make in makers.items():
            try:
                self._live[name] = make()
            except Exception as error:
                self._drop(name, error)

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Record `metrics` of `step` in every tracker."""
        self._each(lambda tracker: tracker.log(metrics, step=step))

    def summarize(self, metrics: Mapping[str, object]) -> None:
        """Record the final `metrics` in every tracker."""
        self._each(lambda tracker: tracker.summarize(metrics))

    def close(self) -> None:
        """Close every tracker."""
        self._each(lambda tracker: tracker.close())

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for name, tracker in tuple(self._live.items()):
            try:
                act(tracker)
            except Exception as error:
                self._drop(name, error)

    def _drop(self, name: str, error: Exception) -> None:
        self._live.pop(name, None)
        LOG.warning("%s: no %s record from here on: %s: %s", self._label, name, type(error).__name__, error)


def make_tracker(stage: Stage, runtime: Runtime) -> Tracker:
    """Make the trackers that `runtime` asks for, as one that never fails."""
    makers: dict[str, Callable[[], Tracker]] = {
        "jsonl": lambda: JsonlTracker(tracking_directory(runtime) / f"{stage.digest}.jsonl")
    }
    if "wandb" in runtime.trackers:
        makers["wandb"] = lambda: WandbTracker(stage, runtime)
    return GuardedTracker(stage.label, makers)


def tracking_directory(runtime: Runtime) -> Path:
    """Where the records of all stages are."""
    return runtime.store / "tracking"


def wandb_mode(runtime: Runtime) -> Literal["online", "offline"]:
    """Online only if that was asked for and a key is there; W&B itself would prompt or wait."""
    if runtime.wandb_mode != "online":
        return "offline"
    if _has_wandb_key():
        return "online"
    LOG.warning("tracker.mode=online needs WANDB_API_KEY or a login in ~/.netrc; logging offline")
    return "offline"


def wandb_tags(axes: Mapping[str, object]) -> tuple[str, ...]:
    """Axes as tags, such as `encoder=siglip+dinov2`."""
    tags = []
    for axis, value in axes.items():
        parts = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
        tags.append(f"{axis}={'+'.join(str(part) for part in parts)}"[:TAG_LENGTH])
    return tuple(tags)


def _wandb_config(stage: Stage) -> dict[str, Any]:
    identity = {"digest": stage.digest, "kind": stage.kind, "version": KINDS[stage.kind].version}
    return {**stage.recipe, "axes": dict(stage.axes), "stage": {**identity, "inputs": dict(stage.inputs)}}


def _has_wandb_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    own_server = urllib.parse.urlsplit(os.environ.get("WANDB_BASE_URL", "")).hostname
    path = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    return path.is_file() and not netrc.netrc(path).hosts.keys().isdisjoint({own_server, *WANDB_HOSTS})


@contextmanager
def _wandb_environment(runtime: Runtime) -> Iterator[None]:
    """Hide W&B's environment while a run starts.

    Under `wandb agent` every stage would otherwise become the agent's own run, and W&B would write to the
    home directory.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
    for name in before.keys() - set(WANDB_ACCOUNT):
        del os.environ[name]
    folders = {
        f"WANDB_{name.upper()}_DIR": str(runtime.cache / "wandb" / name)
        for name in ("cache", "config", "data")
    }
    os.environ.update({"WANDB_ERROR_REPORTING": "false", **folders})
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            del os.environ[name]
        os.environ.update(before)
