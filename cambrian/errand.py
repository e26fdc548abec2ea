"""Questions that planning asks of another process, because their answer needs libraries that take seconds."""

from __future__ import annotations

import subprocess
import sys

from cambrian.errors import UserError
from cambrian.runtime import PROJECT


def ask(module: str, request: str) -> str:
    """Run `module`, which reads `request` and prints its answer; both are JSON.

    Raises:
        UserError: with the last thing it said, if it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=request,
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise UserError(said[-1] if said else f"{module} ended with exit code {done.returncode}")
    return done.stdout
