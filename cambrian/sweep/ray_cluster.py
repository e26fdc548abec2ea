"""A Ray session that leaves nothing behind: on this machine's loopback, or connected to a running cluster."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from cambrian.errors import UserError
from cambrian.runtime import PROJECT, Runtime

OBJECT_STORE_BYTES = 100 << 20
"""Results travel through the store on disk, so Ray's shared memory holds next to nothing."""
REACH_SECONDS = 10.0
"""For a cluster to answer that is there."""
SOCKET_ROOM = 40
"""Longest parent of Ray's temporary directory: the paths of its sockets must stay under 104 characters."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a stage without a GPU must not see any
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C must reach us; Tune's handler would end as if all were well
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # sweeps are resumed from the store, never from Tune's own state
}
LOOPBACK_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's switch for listening on 127.0.0.1, and for having no other address."""
LOOPBACK = LOOPBACK_ALONE | {
    "RAY_AUTH_MODE": "disabled",  # else Ray writes a token to the home directory
    "RAY_enable_metrics_collection": "0",
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "180",  # seconds; a busy machine needs more than the usual 60
    "RAY_worker_register_timeout_seconds": "300",
}


@contextmanager
def ray_session(runtime: Runtime, cpus: int, threads: int) -> Iterator[Path]:
    """Start or join Ray, and give a directory for Tune's files, which is removed at the end.

    Args:
        runtime: where to execute.
        cpus: CPUs of a Ray started here; a thread of a stage takes one.
        threads: torch threads of a worker.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    ours = {"PYTHONPATH": _python_path(), "OMP_NUM_THREADS": str(threads)}
    if runtime.cluster == "ray":
        with environment(QUIET):
            yield from _joined(runtime, {**QUIET, **ours})
    else:
        with environment({**QUIET, **LOOPBACK, **ours}), scratch_directory() as scratch:
            yield from _started(scratch, cpus)


def _started(scratch: Path, cpus: int) -> Iterator[Path]:
    import ray

    try:
        with _own_termination():
            _start(scratch, cpus)
        yield scratch / "tune"
    finally:
        ray.shutdown()


def _start(scratch: Path, cpus: int, attempts: int = 3) -> None:
    """Start Ray; again if it takes longer than the 30 s it gives itself, which happens on a busy machine."""
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(scratch),
        )
    except Exception as error:
        ray.shutdown()
        _kill_leftovers(scratch)
        if attempts == 1:
            raise UserError(f"Ray did not start ({error}); cluster=inline works without it") from error
        _start(scratch, cpus, attempts - 1)


def _joined(runtime: Runtime, variables: Mapping[str, str]) -> Iterator[Path]:
    address = os.environ.get("RAY_ADDRESS", "auto") if runtime.address in (None, "auto") else runtime.address
    with environment(reach(address)):
        import ray  # which reads its environment now

        files = runtime.cache / "tune" / str(os.getpid())
        try:
            with _own_termination():
                _join(address, variables)
            yield files
        finally:
            ray.shutdown()
            shutil.rmtree(files, ignore_errors=True)


def _join(address: str, variables: Mapping[str, str]) -> None:
    import ray

    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            runtime_env={"env_vars": dict(variables)},
        )
    except ConnectionError as error:
        raise UserError(f"no Ray cluster at {address}: {error}") from error


def reach(address: str) -> dict[str, str]:
    """Make sure that somebody listens at HOST:PORT, and say how Ray is to be told of its own address.

    Ray takes 127.0.0.1 for this machine's address in the network, where a cluster that is bound to loopback
    does not listen, and then tries for minutes.

    Raises:
        UserError: if nobody listens there.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:
        return {}  # auto, and other words that Ray alone understands
    try:
        socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster at {address}: {error}. Start one with `ray start --head --port={port}`, or set "
            "cluster.address (docs/cluster.md)"
        ) from error
    if host not in ("127.0.0.1", "localhost") or sys.platform != "linux":
        return {}
    sockets = [one for one in psutil.net_connections(kind="tcp") if one.status == psutil.CONN_LISTEN]
    hosts = {one.laddr.ip for one in sockets if one.laddr and one.laddr.port == int(port)}
    return LOOPBACK_ALONE if hosts <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"} else {}


def _kill_leftovers(scratch: Path) -> None:
    """End the processes of a Ray that came up in part only, which its own shutdown does not know."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if any(str(scratch) in word for word in child.cmdline()):
                child.kill()


@contextmanager
def _own_termination() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces by its own when it starts."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while; processes started meanwhile inherit them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Give a temporary directory with a short path, and remove those of sessions that were killed.

    A lock beside it, which the system frees when its process dies, tells a directory in use from a leftover.
    """
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > SOCKET_ROOM:
        parent = Path("/tmp")  # noqa: S108 (the directory inside is private and new)
    prefix = f"cambrian-{os.getuid()}-"
    for leftover in parent.glob(f"{prefix}*.lock"):
        _remove_if_free(leftover)
    own = parent / f"{prefix}{os.getpid()}.lock"
    with FileLock(own):
        scratch = Path(tempfile.mkdtemp(prefix=f"{own.stem}-", dir=parent))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            own.unlink()


def _remove_if_free(lock: Path) -> None:
    try:
        with FileLock(lock, timeout=0):
            for scratch in lock.parent.glob(f"{lock.stem}-*"):
                shutil.rmtree(scratch, ignore_errors=True)
                if scratch.exists():
                    return  # Ray itself outlives a killed session by a while; the next one tries again
            lock.unlink(missing_ok=True)
    except Timeout:
        return  # its session is alive


def _python_path() -> str:
    """The search path under which a worker finds this project wherever the driver was started."""
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(PROJECT), *([before] if before else [])])
