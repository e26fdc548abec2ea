"""Whatever kills a sweep, the same command finishes it: counted executions, equal results. Real processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from driver import FAKES, Driver

from cambrian.runtime import PROJECT
from cambrian.sweep.store import Store

RUNS = 3
STAGES = 2 + 4 * RUNS
"""Encoder and language; align, tune and two evaluations of each run."""
KILLS = 20


def start(folder: Path, seconds: float = 0.2) -> subprocess.Popen[str]:
    """Start the sweep of fake stages in a process of its own, one stage after the other."""
    words = [folder / "store", folder / "log", "inline", "{}", str(seconds), str(RUNS)]
    path = os.pathsep.join([str(PROJECT), str(FAKES)])
    return subprocess.Popen(
        [sys.executable, FAKES / "drive.py", *words],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def counts(log: Path, word: str) -> Counter[str]:
    """How often each stage came to `begin` or `end`."""
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(line.split()[0] for line in lines if line.split()[1] == word)


def results(folder: Path) -> dict[str, tuple[dict[str, object], object]]:
    """Metrics and files of every finished stage, by its label."""
    store = Store(folder / "store")
    kinds = ("encoder", "language", "align", "tune", "evaluate")
    return {
        artifact.manifest["label"]: (artifact.manifest["metrics"], artifact.manifest["files"])
        for kind in kinds
        for artifact in store.artifacts(kind)
    }


def test_a_sweep_whose_driver_is_killed_at_twenty_random_moments(tmp_path: Path) -> None:
    chance = random.Random(0)
    killed = 0
    while killed < KILLS:
        driver = start(tmp_path)
        begun = counts(tmp_path / "log", "begin").total()
        give_up = time.monotonic() + 120
        # Half of the moments lie within a stage, the others anywhere after the start.
        if killed % 2:
            while counts(tmp_path / "log", "begin").total() == begun and driver.poll() is None:
                assert time.monotonic() < give_up
                time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.4))
        driver.kill()
        driver.communicate()
        killed += 1
    driver = start(tmp_path)
    printed, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, printed
    assert json.loads(printed.splitlines()[-1])["failed"] == {}
    found = results(tmp_path)
    assert len(found) == STAGES
    begins, ends = counts(tmp_path / "log", "begin"), counts(tmp_path / "log", "end")
    assert len(ends) == STAGES
    assert begins.total() <= STAGES + KILLS, "a kill costs at most the stage at work"
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    start(quiet).communicate(timeout=300)
    assert results(quiet) == found


def test_two_drivers_on_one_store_share_the_work(tmp_path: Path) -> None:
    drivers = [start(tmp_path, seconds=0.05) for _ in range(2)]
    for driver in drivers:
        printed, _ = driver.communicate(timeout=300)
        assert driver.returncode == 0, printed
    assert len(results(tmp_path)) == STAGES
    assert set(counts(tmp_path / "log", "end").values()) == {1}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one run, which trains, was made in peace."""
    folder = tmp_path_factory.mktemp("quiet")
    code, _, printed = Driver(folder, cluster="inline", runs=1, tune_a="train").outcome()
    assert code == 0, printed
    return folder


@pytest.mark.parametrize("moment", ["writing", pytest.param("written", marks=pytest.mark.slow)])
def test_a_worker_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before(
    tmp_path: Path, quiet: Path, moment: str
) -> None:
    act = f'train {{"cut": [5, "{moment}"]}}'
    code, _, printed = Driver(tmp_path, cluster="inline", runs=1, tune_a=act).outcome()
    assert code == -signal.SIGKILL, printed
    (work,) = (tmp_path / "store" / "work").iterdir()
    assert sorted(path.name for path in work.iterdir()) == [
        "cut",
        "step-00000003",
        "step-00000004",
        "writing-00000005",
    ]
    again = Driver(tmp_path, cluster="inline", runs=1, tune_a=act)
    code, outcome, printed = again.outcome()
    assert code == 0, printed
    assert set(outcome["done"]) == {"tune-a", "evaluate-a1", "evaluate-a2"}
    made, expected = results(tmp_path)["tune-a"], results(quiet)["tune-a"]
    assert made == ({**expected[0], "resumed_step": 4}, expected[1])
    assert counts(again.log, "begin")["tune-a"] == 2
    assert set(counts(again.log, "end").values()) == {1}
    assert not work.exists()


@pytest.mark.slow
def test_one_of_two_workers_killed_while_it_writes_a_checkpoint_is_replaced(
    tmp_path: Path, quiet: Path
) -> None:
    act = 'train {"cut": [5, "writing"]}'
    driver = Driver(tmp_path, cluster="inline", runs=1, processes=2, tune_a=act)
    code, _, printed = driver.outcome()
    assert code == 0, printed
    said = "tune-a: WorkerDied: worker 0 of 2 of this stage ended without a word: killed by SIGKILL"
    assert said in printed
    made, expected = results(tmp_path)["tune-a"][0], results(quiet)["tune-a"][0]
    assert made["resumed_step"] == 4
    assert made["losses"] == pytest.approx(expected["losses"], rel=1e-6)
    assert counts(driver.log, "begin")["tune-a"] == 4
