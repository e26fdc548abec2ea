"""The store: nothing half-written is ever visible, nothing damaged is ever served."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toy_stages
from toy_stages import make, toy

from cambrian.errors import UserError
from cambrian.stages.base import KINDS, Artifact, Stage
from cambrian.sweep import files
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.garbage import collect
from cambrian.sweep.store import Store

HEAVY = ("torch", "ray", "transformers", "timm", "hydra", "pandas")


@pytest.fixture(autouse=True)
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in toy_stages.TOYS:
        monkeypatch.setitem(KINDS, kind.name, kind)


def flip_byte(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def visible(store: Store) -> list[str]:
    """Entries in the store, and whatever stands in staging or locks besides guards."""
    names = [str(p.relative_to(store.root)) for p in store.root.glob("toy/*")]
    names += [str(p.relative_to(store.root)) for p in store.root.glob("staging/*")]
    return names + [str(p.relative_to(store.root)) for p in store.root.glob("locks/*.lease")]


def publish(store: Store, stage: Stage, files_: dict[str, bytes], metrics: dict[str, Any]) -> Artifact:
    with store.lease(stage.digest, stage.label) as lease:
        payload = store.payload(lease)
        for name, content in files_.items():
            (payload / name).write_bytes(content)
        return store.publish(
            stage, payload, metrics=metrics, code={"fingerprint": "f"}, provenance={}, lease=lease
        )


def test_planning_modules_import_nothing_heavy() -> None:
    modules = ["store", "lease", "produce", "provenance", "plan", "estimate", "rendering", "why", "files"]
    code = (
        f"import sys; import {', '.join(f'cambrian.sweep.{m}' for m in modules)}; print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout
    assert "'cambrian.sweep.plan'" in loaded
    assert [name for name in HEAVY if f"'{name}'" in loaded] == []


def test_making_a_store_object_and_reading_touch_nothing(store: Store) -> None:
    assert store.find("toy", toy("a").digest) is None
    assert list(store.artifacts("toy")) == []
    assert not store.root.exists()


def test_what_is_published_comes_back_with_its_manifest(store: Store) -> None:
    stage = toy("a", width=3)
    published = publish(store, stage, {"weights": b"12345"}, {"score": 50})
    found = store.find("toy", stage.digest)
    assert found is not None
    assert found == published == store.load("toy", stage.digest)
    assert found.path == store.root / "toy" / stage.digest
    assert found.manifest["recipe"] == {"name": "a", "width": 3}
    assert found.manifest["files"] == {
        "weights": {
            "sha256": "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
            "bytes": 5,
        }
    }
    assert found.metrics == {"score": 50}
    assert json.loads((found.path / "manifest.json").read_text())["digest"] == stage.digest
    assert visible(store) == [f"toy/{stage.digest}"]


def test_a_finished_stage_is_never_overwritten(store: Store) -> None:
    publish(store, toy("a"), {"text": b"first"}, {})
    with pytest.raises(OSError, match=r"not empty|exists"):
        publish(store, toy("a"), {"text": b"second"}, {})
    assert (store.load("toy", toy("a").digest).path / "text").read_bytes() == b"first"


@pytest.mark.parametrize("name", ["text", "deep/bytes"])
def test_a_flipped_byte_in_a_file_is_caught_and_the_stage_made_again(
    store: Store, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = make(toy("a"), store).path
    flip_byte(entry / name, 0)
    with pytest.raises(MissingArtifactError):
        store.load("toy", toy("a").digest)
    assert str(entry / name) in caplog.text
    assert len(list((store.root / "quarantine").iterdir())) == 1
    make(toy("a"), store)
    assert (store.load("toy", toy("a").digest).path / "text").read_text() == "a"


@pytest.mark.parametrize("position", [0, 1, 40, 200, -1, -20, -90])
def test_a_flipped_byte_anywhere_in_the_manifest_is_caught_without_reading_the_files(
    store: Store, position: int
) -> None:
    entry = make(toy("a"), store).path
    flip_byte(entry / "manifest.json", position)
    assert store.find("toy", toy("a").digest) is None
    assert not entry.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b"null"])
def test_a_manifest_that_is_no_manifest_counts_as_missing(store: Store, content: bytes) -> None:
    entry = make(toy("a"), store).path
    (entry / "manifest.json").write_bytes(content)
    assert store.find("toy", toy("a").digest) is None


def test_an_entry_without_manifest_or_with_a_missing_file_counts_as_missing(store: Store) -> None:
    (make(toy("a"), store).path / "manifest.json").unlink()
    (make(toy("b"), store).path / "text").unlink()
    assert store.find("toy", toy("a").digest) is None
    with pytest.raises(MissingArtifactError):
        store.load("toy", toy("b").digest)


def test_an_entry_under_the_digest_of_another_is_refused(store: Store) -> None:
    entry = make(toy("a"), store).path
    entry.rename(entry.with_name(toy("b").digest))
    assert store.find("toy", toy("b").digest) is None


def test_an_entry_replaced_since_it_was_examined_is_left_alone(store: Store) -> None:
    make(toy("a"), store)
    store.set_aside("toy", toy("a").digest, "a stale complaint", inode=1)
    assert store.find("toy", toy("a").digest) is not None


@pytest.mark.parametrize("call", ["fsync", "rename", "write"])
def test_a_full_disk_leaves_no_entry_and_the_next_attempt_works(
    store: Store, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    stage = toy("a")
    make(toy("other"), store)
    with monkeypatch.context() as patch:
        if call == "fsync":
            patch.setattr(files.os, "fsync", full)
        elif call == "write":
            patch.setattr(Path, "write_bytes", full)
        else:
            rename = Path.rename
            into_kind = f"toy/{stage.digest}"
            patch.setattr(Path, "rename", lambda a, b: full() if into_kind in str(b) else rename(a, b))
        with pytest.raises(OSError, match="No space left") as caught:
            make(stage, store)
    if call == "rename":
        needs, free = caught.value.__notes__
        assert re.fullmatch(r"this stage needs more than 1,\d+ bytes", needs)
        assert re.fullmatch(rf"{store.root} has [\d,]+ bytes free", free)
    assert visible(store) == [f"toy/{toy('other').digest}"]
    make(stage, store)
    assert store.load("toy", stage.digest).metrics["score"] == 1.5


def test_links_and_reserved_names_are_not_published(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"manifest\.json cannot be published"):
        publish(store, toy("a"), {"manifest.json": b"{}"}, {})
    with store.lease(toy("b").digest, "b") as lease:
        payload = store.payload(lease)
        (payload / "link").symlink_to(tmp_path)
        with pytest.raises(ValueError, match="link cannot be published"):
            store.publish(toy("b"), payload, metrics={}, code={}, provenance={}, lease=lease)
    assert not (store.root / "toy").exists()


def test_the_shipped_layer_is_found_after_the_root_and_never_written(tmp_path: Path) -> None:
    stage = toy("a")
    shipped = make(stage, Store(tmp_path / "shipped"))
    store = Store(tmp_path / "store", shipped=(tmp_path / "shipped",))
    found = make(stage, store)
    assert found == shipped
    assert store.is_shipped(found)
    assert store.digests("toy") == {stage.digest}
    assert [a.digest for a in store.artifacts("toy")] == [stage.digest]
    assert not store.root.exists()


def test_a_damaged_shipped_entry_is_passed_over_from_then_on_and_made_in_the_root(tmp_path: Path) -> None:
    stage = toy("a")
    shipped = make(stage, Store(tmp_path / "shipped"))
    flip_byte(shipped.path / "text", 0)
    store = Store(tmp_path / "store", shipped=(tmp_path / "shipped",))
    with pytest.raises(MissingArtifactError):
        store.load("toy", stage.digest)
    assert shipped.path.exists()
    assert store.find("toy", stage.digest) is None
    assert not store.is_shipped(make(stage, store))
    assert store.load("toy", stage.digest).path.is_relative_to(store.root)


def test_another_layout_is_refused_with_instructions(tmp_path: Path) -> None:
    make(toy("a"), Store(tmp_path))
    (tmp_path / "store.json").write_text('{"layout": 99}')
    with pytest.raises(UserError, match="layout 99"):
        Store(tmp_path)


def test_collect_removes_what_the_dead_left_and_nothing_else(store: Store) -> None:
    done = make(toy("done"), store)
    with store.workdir(done.digest), store.workdir(toy("unfinished").digest) as unfinished:
        pass
    dead = store.root / "staging" / f"{toy('dead').digest}.0123"
    dead.mkdir()
    with store.lease(toy("alive").digest, "alive") as lease:
        alive = store.payload(lease)
        collected = collect(store)
        assert alive.is_dir()
    assert sorted(g.path for g in collected) == sorted([dead, store.root / "work" / done.digest])
    assert unfinished.is_dir()
    assert not dead.exists()


def test_strange_names_in_a_kind_folder_are_ignored(store: Store) -> None:
    make(toy("a"), store)
    (store.root / "toy" / ".DS_Store").write_text("x")
    assert [a.digest for a in store.artifacts("toy")] == [toy("a").digest]


def test_a_stage_that_fails_leaves_only_its_work_to_resume_from(store: Store) -> None:
    with pytest.raises(RuntimeError, match="it fails"):
        make(toy("a", fails=True), store)
    assert visible(store) == []
    assert [path.name for path in (store.root / "work").iterdir()] == [toy("a", fails=True).digest]
