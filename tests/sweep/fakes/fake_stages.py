"""Stage kinds without any learning, which write down that they ran; workers can import this module."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from cambrian.errors import UserError
from cambrian.preemption import Preempted
from cambrian.stages.base import KINDS, Artifact, StageContext, StageKind

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
FAKES = {
    name: StageKind(name=name, version=1, function="fake_stages:run", parallel=name == "tune")
    for name in KINDS
}


def run(recipe: Mapping[str, Any], inputs: Mapping[str, Artifact], context: StageContext) -> dict[str, Any]:
    """Append `name begin` and `name end` to the log; between them sleep, fail or die as the recipe says."""
    _note(recipe, "begin")
    for step in range(1, 1 + round(recipe["seconds"] / 0.05)):
        time.sleep(0.05)
        if context.stopping():
            raise Preempted("no more time")
        context.tracker.log({"loss": 1.0 / step}, step=step)
        context.progress(step, round(recipe["seconds"] / 0.05))
    act = recipe["act"]
    if act.startswith("train"):
        return _train(recipe, inputs, context)
    if act == "fail":
        raise ValueError("no good\nat all")
    if act == "fail while gated" and Path(f"{recipe['log']}.gate").exists():
        raise ValueError("the gate is shut")
    if act.startswith("stale") and _begun(recipe) <= int(act.split()[1]):
        raise OSError(errno.ESTALE, "Stale file handle")
    if act == "full":
        (context.workdir / "step").write_bytes(bytes(1234))
        raise OSError(errno.ENOSPC, "No space left on device")
    if act.startswith("write"):
        (context.payload / "weights").write_bytes(bytes(int(act.split()[1])))
    if act.startswith("fill"):
        _fill(context.workdir / "checkpoint", int(act.split()[1]))
    if act == "talk":
        logging.getLogger("cambrian.model").info("frozen: all")
        logging.getLogger("cambrian.training").info("resumed at step 1 of 2")
        logging.getLogger("library").info("unheard")
        warnings.warn("mind the gap", stacklevel=1)
    if act == "mend":
        raise UserError("set this to that")
    if act == "die once" and not (context.workdir / "died").exists():
        (context.workdir / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "listen":
        _assert_loopback()
    if act == "be preempted":
        os.kill(os.getpid(), signal.SIGTERM)
    if context.stopping():
        raise Preempted("no more time")
    (context.payload / "result.txt").write_text(recipe["name"])
    _note(recipe, "end")
    return {"score": float(len(inputs))}


def _train(
    recipe: Mapping[str, Any], inputs: Mapping[str, Artifact], context: StageContext
) -> dict[str, Any]:
    """Train the regression of tests/training, as the JSON after the word `train` says.

    `cut` names a checkpoint and what is under way when this process is killed at it, once.
    """
    import regression

    settings = json.loads(recipe["act"].removeprefix("train") or "{}")
    if "cut" in settings:
        _cut_short(context.workdir, *settings["cut"])
    metrics = regression.run(settings, inputs, context)
    _note(recipe, "end")
    return metrics


def _cut_short(workdir: Path, step: int, moment: str) -> None:
    """Have this process killed in the middle of writing the checkpoint of `step`, unless that was before."""
    import torch

    from cambrian import checkpoints

    name = "save" if moment == "writing" else "_flush"
    module = torch if moment == "writing" else checkpoints
    original, mark = getattr(module, name), workdir / "cut"

    def cut(*arguments: Any) -> None:
        path = arguments[-1]
        original(*arguments)
        # All is written but for the name, when the staging directory itself is flushed.
        here = path.parent if moment == "writing" else path
        if here.name == f"writing-{step:08d}" and not mark.exists():
            if moment == "writing":
                path.write_bytes(path.read_bytes()[:1000])
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, cut)


def _fill(path: Path, size: int) -> None:
    """Write as large a file as needed, and leave what there is room for."""
    with path.open("wb", buffering=0) as file:
        while size > 0:
            size -= file.write(bytes(min(size, 4096)))


def _assert_loopback() -> None:
    """All processes of this worker's Ray listen to this machine alone."""
    raylet = psutil.Process().parents()[0]
    family = [raylet, *raylet.children(recursive=True), *raylet.parents()[0].children()]
    sockets = [socket for process in {one.pid: one for one in family}.values() for socket in _open(process)]
    assert len(sockets) >= 3
    assert {socket.laddr.ip for socket in sockets} <= LOOPBACK


def _open(process: psutil.Process) -> list[Any]:
    """Sockets on which a process listens: none, if it has ended since it was listed."""
    try:
        found = process.net_connections(kind="tcp")
    except psutil.NoSuchProcess:
        return []
    return [socket for socket in found if socket.status == psutil.CONN_LISTEN]


def _begun(recipe: Mapping[str, Any]) -> int:
    """How often the stage has begun so far."""
    return Path(recipe["log"]).read_text().count(f"{recipe['name']} begin")


def _note(recipe: Mapping[str, Any], word: str) -> None:
    with Path(recipe["log"]).open("a") as log:
        log.write(f"{recipe['name']} {word} {os.getpid()}\n")
