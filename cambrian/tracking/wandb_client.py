"""How runs of Weights & Biases are started: mode, place and identity are decided here, not by variables.

W&B reads some forty environment variables, prompts for a login where there is a terminal and waits for a
server as long as it takes. A sweep must do none of that.
"""

from __future__ import annotations

import logging
import math
import netrc
import os
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import OmegaConf

from cambrian.runtime import Runtime

if TYPE_CHECKING:
    import wandb

LOG = logging.getLogger(__name__)
HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""Where a login in ~/.netrc may be for."""
ACCOUNT = ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ENTITY")
"""The part of W&B's environment that is the user's to set; all else is decided here."""
FAILED, STOPPED = 1, 255
"""Exit codes of runs."""
TAG_LENGTH = 64
"""W&B refuses longer tags."""
INIT_SECONDS = 20
"""How long the start of a run may wait for the server."""
FINISH_SECONDS = 30
"""How long the end of a run may wait for the server; the rest is on disk for `wandb sync`."""

OUTAGE_SECONDS = 600
"""How long a server that did not answer is left alone; meanwhile runs are offline."""

Mode = Literal["online", "offline"]
_outage = {"until": -math.inf}
"""Monotonic time from which this process asks the server again."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """The run that a `wandb agent` wants this process to be."""

    run: str
    sweep: str
    project: str | None
    parameters: Mapping[str, Any]
    """What the sweep chose: word of the command line -> value."""


def find_agent() -> Agent | None:
    """The agent that started this process, if one did."""
    run, sweep = os.environ.get("WANDB_RUN_ID"), os.environ.get("WANDB_SWEEP_ID")
    if not run or not sweep:
        return None
    path = Path(os.environ.get("WANDB_SWEEP_PARAM_PATH", ""))
    written: Any = OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else {}
    return Agent(
        run=run,
        sweep=sweep,
        project=os.environ.get("WANDB_PROJECT"),
        parameters={name: node["value"] for name, node in written.items() if isinstance(node, dict)},
    )


def start_run(
    runtime: Runtime,
    *,
    run_id: str,
    name: str,
    job_type: str,
    config: Mapping[str, Any],
    tags: Sequence[str] = (),
    agent: Agent | None = None,
) -> wandb.Run:
    """Start the run `run_id`, or continue it if the server has it, in the group of the session.

    Its files go below `<store>/tracking/wandb`. Lines that the project logs appear on its page. End it with
    `finish_run`. A server that does not answer costs its patience once; the next runs are then offline.

    Args:
        runtime: has mode, project and group.
        run_id: identity of the run within its project.
        name: what people see.
        job_type: `run`, `sweep` or the kind of a stage.
        config: nested plain values.
        tags: see `axis_tags`.
        agent: makes the run the one that the agent waits for.
    """
    directory = runtime.tracking
    directory.mkdir(parents=True, exist_ok=True)
    mode = wandb_mode(runtime if agent is None else None)
    with own_environment(runtime), _noting_outage(mode):
        import wandb

        return wandb.init(
            project=(agent.project if agent else None) or runtime.wandb_project,
            group=runtime.group,
            job_type=job_type,
            name=name,
            id=run_id,
            tags=list(tags),
            config=dict(config),
            dir=str(directory),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",
            settings=wandb.Settings(
                sweep_id=agent.sweep if agent else None,
                silent=True,
                console="off",
                capture_loggers={"cambrian": "INFO"},
                init_timeout=INIT_SECONDS,
                login_timeout=1,
                finish_timeout=FINISH_SECONDS,
                finish_timeout_raises=True,
                save_code=False,
                symlink=False,
                disable_git=True,
                disable_job_creation=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )


def finish_run(run: wandb.Run, exit_code: int) -> None:
    """End `run`: 0 is shown as finished, `FAILED` as failed, `STOPPED` as killed.

    Raises:
        TimeoutError: if the server does not take the rest in time; it is then on disk for `wandb sync`.
    """
    with _noting_outage("offline" if run.offline else "online"):
        run.finish(exit_code=exit_code)


@contextmanager
def own_environment(runtime: Runtime) -> Iterator[None]:
    """Hide W&B's environment while a run starts or takes tables.

    Under `wandb agent` every stage would otherwise become the agent's own run, and W&B would write to the
    home directory.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
    for name in before.keys() - set(ACCOUNT):
        del os.environ[name]
    folders = {
        f"WANDB_{name.upper()}_DIR": str(runtime.cache / "wandb" / name)
        for name in ("cache", "config", "artifact")
    }
    # Tables wait here until a server has them, which offline is when the user syncs them.
    folders["WANDB_DATA_DIR"] = str(runtime.tracking / "staging")
    os.environ.update({"WANDB_ERROR_REPORTING": "false", **folders})
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            del os.environ[name]
        os.environ.update(before)


def wandb_mode(runtime: Runtime | None) -> Mode:
    """Online only if that was asked for, a key is there and the server answers; W&B would prompt or wait.

    Without a `runtime` online is taken as asked for.
    """
    if runtime is not None and runtime.wandb_mode != "online":
        return "offline"
    if not _has_key():
        _warn_of_no_key()
        return "offline"
    return "offline" if time.monotonic() < _outage["until"] else "online"


def axis_text(value: object) -> str:
    """A choice as one word, such as `siglip+dinov2`."""
    parts = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
    return "+".join(str(part) for part in parts)


def axis_tags(axes: Mapping[str, object]) -> tuple[str, ...]:
    """Axes as tags, such as `encoder=siglip+dinov2`."""
    return tuple(f"{axis}={axis_text(value)}"[:TAG_LENGTH] for axis, value in axes.items())


@contextmanager
def _noting_outage(mode: Mode) -> Iterator[None]:
    try:
        yield
    except Exception:
        if mode == "online":
            _outage["until"] = time.monotonic() + OUTAGE_SECONDS
        raise


@cache
def _warn_of_no_key() -> None:
    LOG.warning("W&B online needs WANDB_API_KEY or a login in ~/.netrc; logging offline")


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    own_server = urllib.parse.urlsplit(os.environ.get("WANDB_BASE_URL", "")).hostname
    path = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    return path.is_file() and not netrc.netrc(path).hosts.keys().isdisjoint({own_server, *HOSTS})
