"""A file system of a few megabytes that really gets full, for commands in a mount namespace of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MOUNT = 'mount -t tmpfs -o "size=$2" tmpfs "$1" && echo mounted && exec cat'
"""Holds the namespace, and with it the disk, until its input ends."""


class NoSmallDisk(Exception):  # noqa: N818 - it names the event
    """The system lets nobody mount one here; the message is its own."""


class SmallDisk:
    """A tmpfs that only the commands run by it see at `path`."""

    def __init__(self, path: Path, holder: int, enter: Sequence[str]) -> None:
        self.path = path
        self._enter = [*enter, "--target", str(holder)]
        self._outside = Path(f"/proc/{holder}/root") / path.relative_to("/")

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command that sees the disk; its outputs come together."""
        return subprocess.run(
            [*self._enter, *map(str, command)],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
        )

    def resize(self, size: str) -> None:
        """Make it larger, or as small as what it holds."""
        done = self.run("mount", "-o", f"remount,size={size}", self.path)
        assert done.returncode == 0, done.stdout

    def seen(self, path: Path) -> Path:
        """`path` on the disk as this process can read it."""
        return self._outside / path.relative_to(self.path)


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a tmpfs of `size`, such as 4m, at the empty directory `path`.

    Raises:
        NoSmallDisk: where the system forbids it, with root's rights as well.
    """
    said = []
    for rights in (["--user", "--map-root-user"], []):
        command = ["unshare", *rights, "--mount", "sh", "-c", MOUNT, "sh", str(path), size]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as holder:
            assert holder.stdout is not None
            line = holder.stdout.readline().strip()
            if line == "mounted":
                own = ["--user", "--preserve-credentials"] if rights else []
                yield SmallDisk(path, holder.pid, ["nsenter", *own, "--mount"])
                assert holder.stdin is not None
                holder.stdin.close()
                return
            said.append(line)
    raise NoSmallDisk("; ".join(said))
