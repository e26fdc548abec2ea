"""Sweeps of fake stages in a process of their own, for tests of what kills them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from cambrian.runtime import PROJECT

FAKES = Path(__file__).parent / "fakes"
TRAINING = Path(__file__).parents[1] / "training"
STAGES = {"encoder", "language", *(f"{k}-{r}" for k in ("align", "tune") for r in "ab")} | {
    f"evaluate-{r}{i}" for r in "ab" for i in (1, 2)
}
"""Of two runs."""
PATIENCE = 400
"""Seconds; Ray takes a few to start on an idle machine and minutes on a busy one."""


class Driver:
    """A sweep in a process of its own, with a home directory that must stay empty."""

    def __init__(
        self,
        folder: Path,
        *,
        cluster: str = "laptop",
        seconds: float = 0.1,
        runs: int = 2,
        processes: int = 1,
        environment: Mapping[str, str] | None = None,
        **acts: str,
    ) -> None:
        self.log = folder / "log"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        words = json.dumps({name.replace("_", "-"): act for name, act in acts.items()})
        path = os.pathsep.join(map(str, (PROJECT, FAKES, TRAINING)))
        self.process = subprocess.Popen(
            [
                sys.executable,
                FAKES / "drive.py",
                folder / "store",
                self.log,
                cluster,
                words,
                str(seconds),
                str(runs),
                str(processes),
            ],
            env={**os.environ, "HOME": str(self.home), "PYTHONPATH": path, **(environment or {})},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def outcome(self) -> tuple[int, dict[str, Any], str]:
        """Exit code, the outcome it printed last, and all it printed."""
        printed, _ = self.process.communicate(timeout=PATIENCE)
        lines = printed.splitlines()
        last = lines[-1] if lines else ""
        return self.process.returncode, json.loads(last) if last.startswith("{") else {}, printed

    def begins(self) -> list[str]:
        """Stages that have begun, once for each process, in order."""
        return [line.split()[0] for line in self._lines() if line.split()[1] == "begin"]

    def ends(self) -> list[str]:
        """Stages that have come to their end, in order."""
        return [line.split()[0] for line in self._lines() if line.split()[1] == "end"]

    def wait_for_ends(self, count: int) -> list[psutil.Process]:
        """Wait until `count` stages have ended; give all processes of the session."""
        self.wait(lambda: len(self.ends()) >= count)
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait_for_pids(self, name: str, count: int) -> list[int]:
        """Wait until the stage `name` has begun in `count` processes, and give them."""
        self.wait(lambda: len(self.pids(name)) >= count)
        return self.pids(name)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for something that happens while the sweep runs."""
        give_up = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.outcome()
            assert time.monotonic() < give_up
            time.sleep(0.05)

    def pids(self, name: str) -> list[int]:
        """Processes in which the stage `name` has begun."""
        return [int(line.split()[2]) for line in self._lines() if line.startswith(f"{name} begin")]

    def scratch(self) -> list[Path]:
        """What is left of its temporary directory."""
        return list(Path(tempfile.gettempdir()).glob(f"cambrian-{os.getuid()}-{self.process.pid}*"))

    def _lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []
