"""A disk that is really full: what fails says so, what is held is let go, the same command finishes it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import NoSmallDisk, SmallDisk, small_disk

from cambrian.runtime import PROJECT
from cambrian.stages.base import KINDS
from cambrian.sweep.store import Store

FAKES = Path(__file__).parent / "fakes"
RUN = [sys.executable, PROJECT / "run.py"]
REAL = [
    *("encoder=siglip", "connector=concat", "adapter.examples.lab=96", "instruct.examples.lab=64"),
    *("benchmarks.lab.include=[lab_count,lab_text]", "benchmarks.lab.questions=10"),
]
FREE = r"/disk/store has ([\d,]+) bytes free"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of two megabytes."""
    (tmp_path / "disk").mkdir()
    try:
        with small_disk(tmp_path / "disk", "2m") as made:
            yield made
    except NoSmallDisk as reason:
        pytest.skip(f"a full disk needs the right to mount one: {reason}")


def drive(disk: SmallDisk, store: Path, acts: dict[str, str], *, runs: int, cluster: str = "inline") -> str:
    """Execute a study of fake stages, each of a tenth of a second, and return what was printed."""
    words = [store, store.parent.parent / f"{store.parent.name}.log", cluster, json.dumps(acts), "0.1", runs]
    path = os.pathsep.join([str(PROJECT), str(FAKES)])
    return disk.run(sys.executable, FAKES / "drive.py", *map(str, words), PYTHONPATH=path).stdout


def ends(log: Path) -> Counter[str]:
    """How often each fake stage came to its end."""
    return Counter(line.split()[0] for line in log.read_text().splitlines() if line.split()[1] == "end")


def results(store: Path) -> dict[str, tuple[object, object]]:
    """Metrics and files of every finished stage, by its label."""
    return {
        artifact.manifest["label"]: (artifact.manifest["metrics"], artifact.manifest["files"])
        for kind in KINDS
        for artifact in Store(store).artifacts(kind)
    }


def check_in_order(store: Path) -> None:
    """Nobody holds anything, nothing is half-written, and records can be read line by line."""
    assert not list((store / "locks").glob("*.lease"))
    assert not list((store / "staging").iterdir())
    for path in (store / "tracking").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            json.loads(line)


def test_a_stage_without_room_says_what_it_needs_and_the_same_command_finishes(
    disk: SmallDisk, tmp_path: Path
) -> None:
    store, acts = disk.path / "store", {"tune-a": "write 6000000"}
    printed = drive(disk, store, acts, runs=1)
    outcome = json.loads(printed.splitlines()[-1])
    assert set(outcome["failed"]) == {"tune-a"}, printed
    assert set(outcome["not_run"]) == {"evaluate-a1", "evaluate-a2"}
    said = re.fullmatch(
        rf"OSError: .*No space left on device.*; this stage needs more than ([\d,]+) bytes; .*{FREE}",
        outcome["failed"]["tune-a"],
    )
    assert said is not None, outcome
    assert int(said[1].replace(",", "")) > 1_000_000
    (record,) = disk.seen(store).glob("failed/*.json")
    assert json.loads(record.read_text())["failure_class"] == "infrastructure"
    check_in_order(disk.seen(store))
    disk.resize("16m")
    printed = drive(disk, store, acts, runs=1)
    assert json.loads(printed.splitlines()[-1])["unfinished"] == {}, printed
    quiet = tmp_path / "quiet" / "store"
    quiet.parent.mkdir()
    drive(disk, quiet, acts, runs=1)
    assert results(disk.seen(store)) == results(quiet)
    assert ends(tmp_path / "disk.log") == ends(tmp_path / "quiet.log") == dict.fromkeys(results(quiet), 1)
    assert not list(disk.seen(store).glob("failed/*"))
    check_in_order(disk.seen(store))


def test_without_any_room_nothing_begins_and_one_line_says_why(disk: SmallDisk) -> None:
    disk.run("sh", "-c", f"head -c 5m /dev/zero > {disk.path}/ballast")
    done = disk.run(*RUN, "-m", *REAL, f"store={disk.path}/store", "cluster=inline")
    assert done.returncode == 2, done.stdout
    (line,) = done.stdout.splitlines()
    assert line.startswith("no room on the disk: [Errno 28] No space left on device")
    assert " has 0 bytes free. Make room" in line


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["inline", "laptop"])
def test_with_not_a_byte_left_all_end_in_order(disk: SmallDisk, tmp_path: Path, cluster: str) -> None:
    store, acts = disk.path / "store", {"encoder": "fill 6000000"}
    printed = drive(disk, store, acts, runs=2, cluster=cluster)
    outcome = json.loads(printed.splitlines()[-1])
    assert "encoder" in outcome["failed"], printed
    for reason in outcome["failed"].values():
        assert re.search(rf"No space left on device.*{FREE}", reason), printed
    check_in_order(disk.seen(store))
    disk.resize("16m")
    printed = drive(disk, store, acts, runs=2, cluster=cluster)
    assert json.loads(printed.splitlines()[-1])["unfinished"] == {}, printed
    assert set(ends(tmp_path / "disk.log").values()) == {1}
    assert len(results(disk.seen(store))) == 2 + 4 * 2
    check_in_order(disk.seen(store))


@pytest.mark.slow
def test_real_training_on_a_full_disk_goes_on_where_it_was(disk: SmallDisk, tmp_path: Path) -> None:
    store = disk.path / "store"
    words = [*RUN, "-m", *REAL, "cluster=inline"]
    needs = {
        "2m": r"the checkpoint needs more than [\d,]+ bytes",  # while training
        "6m": r"this stage needs more than [\d,]+ bytes",  # when the model is written
    }
    for size, need in needs.items():
        disk.resize(size)
        done = disk.run(*words, f"store={store}")
        assert done.returncode == 1, done.stdout
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("failed: ")]
        assert re.search(rf"^failed: infrastructure  tune siglip .*; {need}; .*{FREE}", line), line
        check_in_order(disk.seen(store))
    disk.resize("32m")
    done = disk.run(*words, f"store={store}")
    assert done.returncode == 0, done.stdout
    quiet = tmp_path / "store"
    disk.run(*words, f"store={quiet}")
    assert results(disk.seen(store)) == results(quiet)
    check_in_order(disk.seen(store))
    for digest in Store(quiet).digests("tune") | Store(quiet).digests("align"):
        records = (disk.seen(store) / "tracking" / f"{digest}.jsonl").read_text()
        assert records.count('"summary"') == 1
