"""The lease: one maker at a time, whatever dies and whenever."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cambrian.sweep.lease import Lease, read_owner
from cambrian.sweep.owner import LeaseLostError, process_start, this_machine
from cambrian.sweep.presence import is_working

DIGEST = "ab" * 32

CONTEND = """
import os, random, sys, time
from pathlib import Path
from cambrian.sweep import lease, owner
lease.POLL_SECONDS = 0.002
folder, seed, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split()
chance = random.Random(seed)
(folder / f"{seed}.ready").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
begun = float((folder / "go").read_text())
for turn, name in enumerate(names):
    while time.time() < begun + 0.05 * turn:  # all at the same moment
        pass
    with lease.Lease(folder / "locks", name, "contended", ttl=60, heartbeat=0.02):
        inside = folder / f"{name}.inside"
        if inside.exists() and owner.process_start(int(inside.read_text() or 0)) is not None:
            print("overlap on", name)
        inside.write_text(str(os.getpid()))
        time.sleep(chance.random() * 0.004)
        if inside.read_text() != str(os.getpid()):
            print("overlap on", name)
        inside.unlink()
    (folder / f"{seed}.{turn}.done").touch()
"""


def lease(folder: Path, *, ttl: float = 60.0, heartbeat: float = 5.0) -> Lease:
    return Lease(folder, DIGEST, "toy", ttl=ttl, heartbeat=heartbeat)


def rewrite_owner(folder: Path, **changes: object) -> None:
    path = folder / f"{DIGEST}.lease"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def start_owner(folder: Path) -> subprocess.Popen[str]:
    """A process that takes the lease, says so, and keeps it."""
    code = (
        "import sys, time; from pathlib import Path; from cambrian.sweep.lease import Lease\n"
        f"with Lease(Path({str(folder)!r}), {DIGEST!r}, 'toy', ttl=60, heartbeat=5):\n"
        "    print('mine', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    return process


def test_a_lease_exists_while_it_is_held(tmp_path: Path) -> None:
    with lease(tmp_path) as held:
        owner = read_owner(tmp_path, DIGEST)
        assert owner is not None
        assert (owner.token, owner.pid) == (held.token, os.getpid())
        assert is_working(tmp_path, DIGEST)
    assert read_owner(tmp_path, DIGEST) is None


def test_a_failure_inside_releases(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), lease(tmp_path):
        raise RuntimeError("inside")
    assert not is_working(tmp_path, DIGEST)


def test_a_live_owner_is_waited_for_by_name_and_not_broken_after_the_time_to_live(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = start_owner(tmp_path)
    process.send_signal(signal.SIGSTOP)  # alive but silent: on this machine that is no reason
    entered = threading.Event()

    def wait() -> None:
        with lease(tmp_path, ttl=0.3):
            entered.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not entered.wait(1.2)
    assert f"stage {DIGEST[:12]} (toy) is being made by pid {process.pid} on host" in caplog.text
    assert caplog.text.count("waiting:") == 1
    process.kill()
    assert entered.wait(10)
    waiter.join()
    process.communicate()


def test_kill_9_of_the_owner_releases_at_once_even_as_a_zombie(tmp_path: Path) -> None:
    process = start_owner(tmp_path)
    process.kill()
    begun = time.monotonic()
    with lease(tmp_path):
        assert time.monotonic() - begun < 5
    process.communicate()


def test_another_process_with_the_same_id_is_not_the_owner(tmp_path: Path) -> None:
    with lease(tmp_path):
        rewrite_owner(tmp_path, token="other", started="0")
        with lease(tmp_path) as second:
            owner = read_owner(tmp_path, DIGEST)
            assert owner is not None
            assert owner.token == second.token


@pytest.mark.parametrize("content", ['{"token": 1}', "", "[]"])
def test_an_unreadable_lease_is_taken_over_after_the_time_to_live(tmp_path: Path, content: str) -> None:
    (tmp_path / f"{DIGEST}.lease").write_text(content)
    begun = time.monotonic()
    with lease(tmp_path, ttl=0.5):
        assert time.monotonic() - begun > 0.5


def test_a_silent_owner_elsewhere_is_taken_over_after_the_time_to_live_and_cannot_publish(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with lease(tmp_path) as first:
        rewrite_owner(tmp_path, machine="elsewhere", host="far")
        begun = time.monotonic()
        with lease(tmp_path, ttl=0.5):
            assert 0.5 < time.monotonic() - begun < 10
            with pytest.raises(LeaseLostError, match="taken over"), first.fenced():
                pass
        assert "on host far" in caplog.text
        assert "was not heard of for 0.5 s; taking over" in caplog.text


def test_an_owner_elsewhere_that_touches_its_lease_keeps_it(tmp_path: Path) -> None:
    with lease(tmp_path, heartbeat=0.05) as first:
        rewrite_owner(tmp_path, machine="elsewhere")
        entered = threading.Event()

        def wait() -> None:
            with lease(tmp_path, ttl=0.6):
                entered.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not entered.wait(2.0)
        with first.fenced():
            pass
    assert entered.wait(10)
    waiter.join()


def test_losing_the_lease_does_not_release_that_of_the_next_owner(tmp_path: Path) -> None:
    with lease(tmp_path):
        rewrite_owner(tmp_path, token="next")
    owner = read_owner(tmp_path, DIGEST)
    assert owner is not None
    assert owner.token == "next"


def test_process_start_tells_processes_apart() -> None:
    assert process_start(os.getpid()) == process_start(os.getpid())
    assert process_start(os.getpid()) is not None
    assert process_start(2**22 + 1) is None


def contend(folder: Path, *, processes: int, digests: int, kills: int) -> list[str]:
    """Let processes compete for leases of a dead owner, kill some, and return what they said."""
    names = [f"{index:02x}" * 32 for index in range(digests)]
    (folder / "locks").mkdir()
    dead = {"token": "dead", "pid": os.getpid(), "started": "0", "host": "here", "since": "then"}
    for name in names:
        (folder / "locks" / f"{name}.lease").write_text(json.dumps({**dead, "machine": this_machine()}))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", CONTEND, str(folder), str(seed), " ".join(names)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(processes)
    ]
    while len(list(folder.glob("*.ready"))) < processes:
        time.sleep(0.01)
    (folder / "draft").write_text(str(time.time() + 0.1))
    (folder / "draft").rename(folder / "go")
    for seed, racer in enumerate(racers[:kills]):
        while not (folder / f"{seed}.3.done").exists():
            time.sleep(0.001)
        racer.kill()
    outputs = [racer.communicate(timeout=300) for racer in racers]
    assert [racer.returncode for racer in racers[kills:]] == [0] * (processes - kills), outputs
    assert all(len(list(folder.glob(f"{seed}.*.done"))) == digests for seed in range(kills, processes))
    return [out for out, _ in outputs if out]


def test_competing_processes_never_overlap(tmp_path: Path) -> None:
    assert contend(tmp_path, processes=4, digests=20, kills=1) == []


@pytest.mark.slow
def test_many_competing_processes_never_overlap(tmp_path: Path) -> None:
    assert contend(tmp_path, processes=10, digests=120, kills=4) == []
