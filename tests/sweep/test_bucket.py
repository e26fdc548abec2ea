"""Object storage as the store uses it, against a real server: what it guarantees, and how it says no."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from cambrian.errors import UserError
from cambrian.sweep import claim as claim_module
from cambrian.sweep.bucket import Bucket, BucketError, is_url
from cambrian.sweep.claim import Claim, SessionClaim, claims
from cambrian.sweep.owner import LeaseLostError, Owner


def someone(name: str) -> Owner:
    """A process on another machine."""
    return replace(Owner.this_process(name, "a stage", ()), host=name, machine=name)


def test_objects_come_and_go_by_key(bucket: Bucket, tmp_path: Path) -> None:
    assert (bucket.names(""), bucket.sizes("a"), bucket.read("a/b")) == ([], {}, None)
    bucket.write("a/b", b"12")
    bucket.write("a/deep/c", b"345")
    assert bucket.names("a") == ["b", "deep"]
    assert bucket.sizes("a") == {"b": 2, "deep/c": 3}
    assert bucket.read_many(["a/b", "a/none", "a/deep/c"]) == {"a/b": b"12", "a/deep/c": b"345"}
    bucket.download("a/deep/c", tmp_path / "new" / "c")
    assert (tmp_path / "new" / "c").read_bytes() == b"345"
    bucket.upload(tmp_path / "new" / "c", "a/b")
    assert bucket.read("a/b") == b"345"
    assert 0 <= bucket.age("a/b", time.time() + 1) < 60
    bucket.delete("a/b", "a/never", "a/deep/c")
    assert bucket.sizes("a") == {}
    with pytest.raises(FileNotFoundError):
        bucket.download("a/b", tmp_path / "b")


def test_an_object_is_created_once_and_listings_are_fresh(bucket: Bucket) -> None:
    other: Bucket = pickle.loads(pickle.dumps(bucket))
    assert other.names("locks") == []
    assert bucket.create("locks/1", b"mine")
    assert not other.create("locks/1", b"theirs")
    assert bucket.create("locks/1", b"mine"), "the answer to the first request may have got lost"
    assert other.names("locks") == ["1"]
    assert other.read("locks/1") == b"mine"


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/x", "s3://bucket/x?key=secret", "s3://", "s3:///"])
def test_a_url_is_a_bucket_and_a_prefix_and_holds_no_secret(url: str) -> None:
    with pytest.raises(UserError, match="environment") as refusal:
        Bucket(url)
    assert "secret" not in str(refusal.value)


def test_what_is_a_url() -> None:
    assert is_url("s3://a/b")
    assert is_url("gs://a")
    assert not any(map(is_url, ("runs", "/data/runs", "C:\\runs", "a:b", "~/runs")))


def test_what_cannot_be_reached_is_said_with_the_way_out(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="fsspec knows"):
        Bucket("nosuchprotocol://bucket/x").names("")
    with pytest.raises(UserError, match=r"cannot write to the store: .*does not exist"):
        Bucket("s3://never-created/x").check()
    bucket.check()
    system = fsspec.filesystem("s3", use_listings_cache=False)
    honest = system.pipe_file
    monkeypatch.setattr(system, "pipe_file", lambda path, content, mode="overwrite": honest(path, content))
    with pytest.raises(UserError, match="If-None-Match"):
        bucket.check()


def test_failures_of_the_client_are_failures_of_infrastructure(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no route")

    monkeypatch.setattr(fsspec.filesystem("s3", use_listings_cache=False), "cat_file", fail)
    with pytest.raises(BucketError, match=r"s3://.*/fig6/x: RuntimeError: no route"):
        bucket.read("x")


def test_a_claim_is_held_by_one_until_it_is_given_back(bucket: Bucket) -> None:
    first, second = (Claim(bucket, "stage", ttl=60) for _ in range(2))
    assert first.take(someone("a")) is None
    holder = second.take(someone("b"))
    assert holder is not None
    assert holder.host == "a"
    first.beat()
    with pytest.raises(LeaseLostError):
        second.check()
    first.release()
    assert second.take(someone("b")) is None
    second.check()
    with pytest.raises(LeaseLostError):
        first.beat()
    first.release()  # it has nothing to give back any more
    second.check()
    second.release()
    assert bucket.sizes("locks") == {}


def test_a_silent_owner_loses_its_claim_and_can_tell(bucket: Bucket) -> None:
    silent, waiting = Claim(bucket, "stage", ttl=60), Claim(bucket, "stage", ttl=0.2)
    assert silent.take(someone("a")) is None
    assert waiting.take(someone("b")) is not None
    silent.beat()
    time.sleep(0.25)
    assert waiting.take(someone("b")) is not None, "it has beaten since"
    time.sleep(0.25)
    assert waiting.take(someone("b")) is None
    with pytest.raises(LeaseLostError):
        silent.check()
    silent.release()
    waiting.check()


def test_a_dead_owner_on_this_machine_loses_its_claim_at_once(bucket: Bucket) -> None:
    dead = replace(Owner.this_process("dead", "a stage", ()), started="long ago")
    assert Claim(bucket, "stage", ttl=60).take(dead) is None
    assert Claim(bucket, "stage", ttl=60).take(someone("b")) is None


def test_who_was_overtaken_between_looking_and_creating_steps_back(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one saw no claim; before it creates the first number, others have come and gone."""
    slow, quick, third = (Claim(bucket, "stage", ttl=60) for _ in range(3))
    look = slow.look

    def look_too_early() -> Any:
        seen = look()
        monkeypatch.undo()
        assert quick.take(someone("quick")) is None
        bucket.write("locks/stage/000000000002", b"{}")  # as if the first had been silent for long
        bucket.delete("locks/stage/000000000001")
        return seen

    monkeypatch.setattr(slow, "look", look_too_early)
    holder = slow.take(someone("slow"))
    assert holder is not None
    assert bucket.names("locks/stage") == ["000000000002"]
    assert third.take(someone("third")) is not None


def test_many_machines_never_hold_a_claim_together(bucket: Bucket) -> None:
    inside, overlaps, turns = [0], [], [0]

    def work(name: str) -> None:
        for _ in range(6):
            own = Claim(bucket, "stage", ttl=60)
            while own.take(someone(name)) is not None:
                time.sleep(0.001)
            inside[0] += 1
            overlaps.append(inside[0])
            own.check()
            time.sleep(0.002)
            inside[0] -= 1
            turns[0] += 1
            own.release()

    run_together([lambda name=name: work(name) for name in "abcd"])
    assert turns == [24]
    assert set(overlaps) == {1}
    assert bucket.sizes("locks") == {}


def run_together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()


def test_a_session_and_a_collection_of_garbage_never_overlook_each_other(bucket: Bucket) -> None:
    session = SessionClaim(bucket, "session-1", ttl=60, gate="gc")
    collector = Claim(bucket, "gc", ttl=60)
    assert collector.take(someone("collector")) is None
    holder = session.take(someone("sweep"))
    assert holder is not None
    assert holder.host == "collector"
    assert {name for name, _, _ in claims(bucket)} == {"gc", "session-1"}, "the collector sees it coming"
    collector.release()
    assert session.take(someone("sweep")) is None
    session.check()
    assert len(bucket.names(f"{claim_module.LOCKS}/session-1")) == 1
