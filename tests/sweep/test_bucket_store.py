"""A store in object storage: two machines that share nothing else make each stage once, and lose nothing."""

from __future__ import annotations

import json
import pickle
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import toy_stages
from toy_stages import lines, make, toy

from analysis.results import open_store as open_results
from cambrian.errors import UserError
from cambrian.runtime import PROJECT, SHIPPED, Runtime
from cambrian.stages.base import KINDS, Stage
from cambrian.sweep import checkpoint_copies
from cambrian.sweep.bucket import Bucket
from cambrian.sweep.bucket_layer import BucketLayer
from cambrian.sweep.bucket_store import BucketStore
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.execute import execute
from cambrian.sweep.failures import Failure
from cambrian.sweep.garbage import collect, leftovers, remove_unneeded, unneeded
from cambrian.sweep.owner import LeaseLostError
from cambrian.sweep.place import locate_store
from cambrian.sweep.records import clear_record, read_records, write_record


@pytest.fixture(autouse=True)
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in toy_stages.TOYS:
        monkeypatch.setitem(KINDS, kind.name, kind)


@pytest.fixture
def machines(bucket: Bucket, tmp_path: Path) -> tuple[BucketStore, BucketStore]:
    """The same store, seen from two machines."""
    here, there = (BucketStore(tmp_path / name, bucket=bucket) for name in ("here", "there"))
    return here, there


Machines = tuple[BucketStore, BucketStore]


def test_what_one_machine_makes_the_other_finds_and_uses(machines: Machines, tmp_path: Path) -> None:
    here, there = machines
    log = tmp_path / "log"
    first = toy("first", log=str(log))
    second = toy("second", inputs={"before": first.digest}, log=str(log))
    make(first, here)
    assert there.find("toy", first.digest) is not None
    assert not (there.root / "toy").exists(), "a plan needs no files"
    assert there.digests("toy") == {first.digest}
    made = make(second, there)
    assert (made.path / "text").read_text() == "first+second"
    assert make(second, here).metrics == made.metrics
    assert [line.split()[0] for line in lines(log)] == ["first", "second"]
    assert here.load("toy", second.digest).path.is_relative_to(here.root)
    assert set(here.find_all([first, second, toy("third")])) == {first.digest, second.digest}
    assert {artifact.digest for artifact in there.artifacts("toy")} == {first.digest, second.digest}
    assert here.kind_of(first.digest) == "toy"
    assert here.bucket.sizes("locks") == {}
    assert here.bucket.sizes("work") == {}


def test_a_stage_that_is_being_made_elsewhere_is_waited_for(machines: Machines, tmp_path: Path) -> None:
    here, there = machines
    stage = toy("slow", log=str(tmp_path / "log"), seconds=0.5)
    works = [threading.Thread(target=make, args=(stage, store)) for store in machines]
    for work in works:
        work.start()
    for work in works:
        work.join(timeout=60)
    assert len(lines(tmp_path / "log")) == 1
    assert here.find("toy", stage.digest) is not None
    assert there.holders() == []


def test_nobody_sees_a_result_before_its_manifest(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = machines
    stage = toy("torn")

    def cut(*_: object) -> bool:
        raise OSError("the line is dead")

    with monkeypatch.context() as broken:
        broken.setattr(BucketLayer, "announce", cut)
        with pytest.raises(OSError, match="the line is dead"):
            make(stage, here)
    assert here.bucket.sizes(f"toy/{stage.digest}"), "its files are there"
    assert there.digests("toy") == set()
    assert there.find("toy", stage.digest) is None
    (stray,) = [garbage for garbage in leftovers(there) if garbage.is_remote]
    assert stray.why == "part of a result, its process is gone"
    assert stray.remote_bytes == 4 + 256
    collect(there)
    assert here.bucket.sizes("toy") == {}
    assert make(stage, there).metrics["score"] == 1.5


def test_a_result_that_comes_too_late_is_dropped(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = machines
    stage = toy("twice")
    announce = BucketLayer.announce

    def overtaken(layer: Any, *arguments: Any) -> bool:
        with monkeypatch.context() as quick:
            quick.setattr(BucketLayer, "announce", announce)
            quick.setattr(BucketStore, "_claim", lambda *_: None)  # as if it had been silent for long
            # Its manifest names another machine; the very same manifest would be one that was written twice.
            quick.setattr(platform, "node", lambda: "there")
            make(stage, there)
        return announce(layer, *arguments)

    monkeypatch.setattr(BucketLayer, "announce", overtaken)
    with pytest.raises(LeaseLostError, match="was made by another machine"):
        make(stage, here)
    monkeypatch.undo()
    KINDS.update({kind.name: kind for kind in toy_stages.TOYS})
    assert here.load("toy", stage.digest).manifest == there.load("toy", stage.digest).manifest


def test_a_damaged_copy_is_fetched_again_and_a_damaged_result_is_made_again(
    machines: Machines, tmp_path: Path
) -> None:
    here, there = machines
    stage = toy("spoilt", log=str(tmp_path / "log"))
    make(stage, here)
    copy = there.load("toy", stage.digest).path / "text"
    copy.write_text("Spoilt")
    assert (there.load("toy", stage.digest).path / "text").read_text() == "spoilt"

    here.bucket.write(f"toy/{stage.digest}/text", b"Spoilt")
    (copy.parent / "text").write_text("Spoilt")
    with pytest.raises(MissingArtifactError):
        there.load("toy", stage.digest)
    assert here.find("toy", stage.digest) is None
    assert not (here.root / "toy" / stage.digest).exists(), "the copy of what is gone is gone"
    assert len(here.bucket.names("quarantine")) == 1
    make(stage, here)
    assert len(lines(tmp_path / "log")) == 2


def test_verifying_fetches_nothing_and_finds_what_is_missing(machines: Machines) -> None:
    here, there = machines
    stage = toy("cut")
    make(stage, here)
    there.verify("toy", stage.digest)
    assert not (there.root / "toy").exists()
    here.bucket.write(f"toy/{stage.digest}/deep/bytes", b"short")
    with pytest.raises(MissingArtifactError, match="deep/bytes has 5 bytes instead of 256"):
        there.verify("toy", stage.digest)
    assert there.find("toy", stage.digest) is None


def test_a_damaged_manifest_counts_as_missing(machines: Machines) -> None:
    here, there = machines
    stage = toy("spoilt")
    make(stage, here)
    key = f"toy/{stage.digest}/manifest.json"
    content = here.bucket.read(key)
    assert content is not None
    here.bucket.write(key, content.replace(b"1.5", b"2.5"))
    assert there.find_all([stage]) == {}
    assert here.find("toy", stage.digest) is None


def test_another_machine_goes_on_from_the_last_checkpoint(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = machines
    monkeypatch.setattr(checkpoint_copies, "POLL_SECONDS", 0.02)
    with pytest.raises(ZeroDivisionError), here.workdir("d" * 64) as folder:
        for step in (1, 2, 3):
            save(folder, step)
            give_up = time.monotonic() + 20
            while step < 3 and here.bucket.names("work/" + "d" * 64) != [f"step-{step}"]:
                assert time.monotonic() < give_up
                time.sleep(0.01)
        raise ZeroDivisionError  # the last one is copied when the attempt ends
    with there.workdir("d" * 64) as folder:
        assert [path.name for path in folder.iterdir()] == ["step-3"]
        assert (folder / "step-3" / "state.pt").read_text() == "3"
        save(folder, 4)
    there.discard_work("d" * 64)
    assert here.bucket.sizes("work") == {}
    with here.workdir("d" * 64) as folder:
        assert len(list(folder.iterdir())) == 3, "what this machine has is its own affair"


def save(folder: Path, step: int) -> None:
    draft = folder / f"writing-{step}"
    draft.mkdir()
    (draft / "state.pt").write_text(str(step))
    draft.rename(folder / f"step-{step}")


def test_failures_are_known_on_all_machines(machines: Machines) -> None:
    here, there = machines
    stage = toy("bad")
    here.prepare()
    write_record(here, stage, Runtime(store=here.root), Failure.of(ValueError("no good")))
    (record,) = read_records(there)
    assert (record.digest, record.message) == (stage.digest, "ValueError: no good")
    clear_record(there, stage.digest)
    assert list(read_records(here)) == []


def test_garbage_is_what_no_machine_needs(machines: Machines) -> None:
    here, there = machines
    needed, unneeded_, planned = toy("needed"), toy("unneeded"), toy("planned")
    for stage in (needed, unneeded_, planned):
        make(stage, here)
    result = Stage(kind="evaluate", recipe={}, inputs={"model": needed.digest}, label="result")
    with here.lease(result.digest, "result") as lease:
        payload = here.payload(lease)
        here.publish(result, payload, metrics={}, code={"fingerprint": "f"}, provenance={}, lease=lease)
    with here.session("a sweep", [planned.digest]):
        (found,) = unneeded(there)
        assert (found.label, found.remote_bytes) == ("toy unneeded", len("unneeded") + 256)
        assert [garbage.label for garbage in remove_unneeded(there)] == ["toy unneeded"]
    assert here.find("toy", unneeded_.digest) is None
    assert here.digests("toy") == {needed.digest, planned.digest}
    assert [garbage.label for garbage in remove_unneeded(there)] == ["toy planned"]


def test_a_word_to_leave_reaches_all_machines_and_does_not_stay(machines: Machines, tmp_path: Path) -> None:
    here, there = machines
    with here.session("a sweep", []):
        told, word = pickle.loads(pickle.dumps(here.notice(tmp_path))), here.notice(tmp_path)
        assert not told.exists()
        word.touch()
        assert (word.exists(), told.exists()) == (True, False), "each sweep has its own"
        collect(there)
        assert word.exists()
    collect(there)
    assert not word.exists()


def test_another_layout_is_refused(machines: Machines) -> None:
    here, there = machines
    here.bucket.write("store.json", b'{"layout": 99}\n')
    with pytest.raises(UserError, match=r'has another layout .*"layout": 99'):
        make(toy("a"), there)


def test_a_whole_sweep_on_one_machine_is_complete_for_the_other(
    bucket: Bucket, tmp_path: Path, fake_kinds: None
) -> None:
    import drive

    here, there = (BucketStore(tmp_path / name, (SHIPPED,), bucket=bucket) for name in ("here", "there"))
    log = tmp_path / "log"
    plan = drive.study(here, log, {"tune-b": "fail"}, 0.0)
    runtime = Runtime(store=here.root, bucket=bucket.url, cluster="inline")
    outcome = execute(plan, here, runtime)
    assert len(outcome.done) == 7
    (record,) = read_records(there)
    assert (there.gather("tracking"), record.stage["label"]) != ([], "")
    assert "ValueError: no good" in (there.root / record.log).read_text()
    again = drive.study(there, log, {"tune-b": "fail"}, 0.0)
    assert len(again.pending) == 3
    with open_results(bucket.url) as place:
        assert {path.name for path in (place / "evaluate").iterdir()} == there.digests("evaluate")


def test_the_command_line_takes_a_url(bucket: Bucket, tmp_path: Path) -> None:
    words = ["-m", "encoder=siglip", "connector=concat,sva", "plan=json", f"store={bucket.url}"]
    command = [sys.executable, str(PROJECT / "run.py"), *words, f"store_copy={tmp_path}"]
    plan = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=tmp_path).stdout)
    assert sum(stage["kind"] == "tune" for stage in plan["stages"]) == 2
    assert list(tmp_path.iterdir()) == [], "a plan writes nothing"
    refused = subprocess.run(
        [*command[:-2], "store=s3://me:hush@bucket/x"], capture_output=True, text=True, cwd=tmp_path
    )
    assert refused.returncode == 2
    assert "PROTOCOL://BUCKET/PREFIX" in refused.stderr
    assert "hush" not in refused.stderr
    status = [sys.executable, "-m", "cambrian.sweep", "status", "--store", bucket.url]
    none = subprocess.run(status, capture_output=True, text=True, cwd=PROJECT)
    assert none.stderr.startswith(f"{bucket.url} is no store")


def test_copies_of_two_stores_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBRIAN_STORE_COPY", "/scratch")
    one, two = locate_store("s3://bucket/a"), locate_store("s3://bucket/b/")
    assert (one.url, two.url) == ("s3://bucket/a", "s3://bucket/b")
    assert one.directory.parent == two.directory.parent == Path("/scratch")
    assert one.directory != two.directory
    assert locate_store("/data/runs").url is None
