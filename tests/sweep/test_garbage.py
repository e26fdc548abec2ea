"""What may go from a store: never what a finished evaluation or a living process needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from bare_stages import finish, stage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambrian.errors import UserError
from cambrian.runtime import PROJECT, Runtime
from cambrian.stages.base import KINDS, Stage
from cambrian.sweep import files
from cambrian.sweep.failures import Failure
from cambrian.sweep.garbage import collect, leftovers, remove_unneeded, unneeded
from cambrian.sweep.records import clear_record, write_record
from cambrian.sweep.store import Store

FAKES = Path(__file__).parent / "fakes"


pytestmark = pytest.mark.usefixtures("fake_kinds")


def there(store: Store, *stages: Stage) -> list[bool]:
    return [(store.root / one.kind / one.digest).is_dir() for one in stages]


def chain(name: str) -> tuple[Stage, Stage, Stage]:
    align = stage("align", name)
    tune = stage("tune", name, align)
    return align, tune, stage("evaluate", name, tune)


PICK = st.tuples(st.sampled_from(["align", "tune", "evaluate"]), st.sets(st.integers(0, 8)))
"""Kind of a stage and the numbers of its inputs, of which those before it count."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(picks=st.lists(PICK, max_size=9), absent=st.sets(st.integers(0, 8)))
def test_gc_keeps_all_that_finished_evaluations_need_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, picks: Sequence[tuple[str, set[int]]], absent: set[int]
) -> None:
    monkeypatch.setattr(files.os, "fsync", lambda _: None)
    made: list[Stage] = []
    for index, (kind, inputs) in enumerate(picks):
        made.append(stage(kind, str(index), *(made[i] for i in sorted(inputs) if i < index)))
    present = [one for index, one in enumerate(made) if index not in absent]
    by_digest = {one.digest: one for one in present}

    def reach(one: Stage) -> set[str]:
        inputs = [by_digest[digest] for digest in one.inputs.values() if digest in by_digest]
        return {one.digest}.union(*(reach(before) for before in inputs))

    needed = {digest for one in present if one.kind == "evaluate" for digest in reach(one)}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        finish(store, *present)
        if present:
            remove_unneeded(store)
        left = {digest for kind in KINDS for digest in store.digests(kind)}
        assert left == needed
        for digest in needed:
            store.load(by_digest[digest].kind, digest)
        assert list((store.root / "staging").glob("*")) == []


def test_a_dry_run_touches_nothing(store: Store) -> None:
    align, tune, _ = chain("a")
    finish(store, align, tune)
    (store.root / "quarantine" / "tune-x").mkdir()
    before = sorted((str(path), path.stat().st_mtime_ns) for path in store.root.rglob("*"))
    found = leftovers(store) + unneeded(store)
    assert [(garbage.label, garbage.why) for garbage in found] == [
        ("", "found damaged"),
        ("align a", "no result needs it"),
        ("tune a", "no result needs it"),
    ]
    assert sorted((str(path), path.stat().st_mtime_ns) for path in store.root.rglob("*")) == before


def test_the_shipped_layer_counts_and_stays(tmp_path: Path) -> None:
    shipped, store = Store(tmp_path / "shipped"), Store(tmp_path / "store", shipped=(tmp_path / "shipped",))
    unused, used = stage("encoder", "unused"), stage("encoder", "used")
    finish(shipped, unused, used)
    evaluate = stage("evaluate", "a", used)
    finish(store, evaluate)
    assert remove_unneeded(store) == []
    assert there(shipped, unused, used) == [True, True]


def test_a_live_sweep_keeps_what_it_plans_with_and_a_dead_one_nothing(store: Store) -> None:
    (align, tune, _), (other, *_) = chain("a"), chain("b")
    finish(store, align, other)
    with store.workdir(tune.digest):
        pass
    with store.session("sweep", [align.digest, tune.digest]):
        assert [garbage.path.name for garbage in remove_unneeded(store, idle_days=0)] == [other.digest]
        assert (store.root / "work" / tune.digest).is_dir()
    assert len(remove_unneeded(store, idle_days=0)) == 2
    assert there(store, align) == [False]


def test_a_stage_at_work_keeps_its_inputs(store: Store) -> None:
    encoder, align = stage("encoder", "a"), stage("align", "a", stage("encoder", "a"))
    finish(store, encoder)
    with store.lease(align.digest, align.label, [encoder.digest]):
        assert unneeded(store) == []
    assert len(unneeded(store)) == 1


def test_no_sweep_begins_while_things_are_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    align, *_ = chain("a")
    finish(store, align)
    order = []
    put_in_trash = Store.put_in_trash

    def slow(self: Store, path: Path) -> Path | None:
        session = subprocess.Popen(
            [sys.executable, "-c", SESSION, str(store.root)], env={**os.environ, "PYTHONPATH": str(PROJECT)}
        )
        with pytest.raises(subprocess.TimeoutExpired):
            session.wait(timeout=3)
        order.append(session)
        return put_in_trash(self, path)

    monkeypatch.setattr(Store, "put_in_trash", slow)
    remove_unneeded(store)
    assert order[0].wait(timeout=60) == 0


SESSION = """
import sys
from pathlib import Path
from cambrian.sweep.store import Store
with Store(Path(sys.argv[1])).session("sweep", []):
    pass
"""


def test_inputs_of_failed_stages_stay_for_another_try(store: Store) -> None:
    align, tune, _ = chain("a")
    finish(store, align)
    write_record(store, tune, Runtime(store=store.root), Failure.of(ValueError("x")))
    assert unneeded(store) == []
    clear_record(store, tune.digest)
    assert [garbage.label for garbage in unneeded(store)] == ["align a"]


def test_with_a_damaged_entry_nothing_goes(store: Store) -> None:
    align, tune, evaluate = chain("a")
    finish(store, align, tune, evaluate)
    (store.root / "tune" / tune.digest / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="nothing is removed"):
        remove_unneeded(store)
    assert there(store, align, tune, evaluate) == [True, True, True]


def test_work_goes_by_age_and_only_if_asked(store: Store) -> None:
    old, new = stage("tune", "old"), stage("tune", "new")
    for one in (old, new):
        with store.workdir(one.digest) as folder:
            (folder / "step").write_text("1")
    finish(store, stage("evaluate", "a"))
    long_ago = time.time() - 10 * 86400
    for path in (store.root / "work" / old.digest, store.root / "work" / old.digest / "step"):
        os.utime(path, (long_ago, long_ago))
    assert unneeded(store) == []
    assert [garbage.why for garbage in remove_unneeded(store, idle_days=7)] == [
        "checkpoints untouched for 10.0 days"
    ]
    assert [path.name for path in (store.root / "work").iterdir()] == [new.digest]


def test_collect_takes_what_the_killed_left_once_it_is_old(store: Store) -> None:
    finish(store, stage("evaluate", "a"))
    names = ["tracking/x.progress", "cache/images/x.npy.partial", "failed/x.json.1234", "cache/images/x.npy"]
    for name in names:
        (store.root / name).parent.mkdir(parents=True, exist_ok=True)
        (store.root / name).touch()
    assert collect(store) == []
    for name in names:
        os.utime(store.root / name, (0, 0))
    assert {str(garbage.path.relative_to(store.root)) for garbage in collect(store)} == set(names[:3])


def test_two_that_tidy_up_at_the_same_time_do_not_disturb_each_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(store, stage("evaluate", "a"))
    (store.root / "staging" / "x.1" / "deep").mkdir(parents=True)
    rename = Path.rename

    def snatch(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        monkeypatch.setattr(Path, "rename", rename)
        assert len(collect(store)) == 1  # another process takes the trash for a leftover, which it is
        return moved

    monkeypatch.setattr(Path, "rename", snatch)
    assert len(collect(store)) == 1
    assert list((store.root / "staging").iterdir()) == []


# Beside a living sweep, as processes.


def test_gc_beside_a_living_sweep_costs_it_nothing(store: Store, tmp_path: Path) -> None:
    garbage, *_ = chain("garbage")
    finish(store, garbage)
    command = [sys.executable, FAKES / "drive.py", store.root, tmp_path / "log", "inline", "{}", "0.3", "2"]
    paths = os.pathsep.join([str(PROJECT), str(FAKES)])
    sweep = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, text=True
    )
    removed = []
    while sweep.poll() is None:
        removed += [one.label for one in remove_unneeded(store, idle_days=0) + collect(store) if one.label]
        time.sleep(0.05)
    printed, _ = sweep.communicate()
    assert sweep.returncode == 0, printed
    assert removed == ["align garbage"]
    ends = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines() if " end " in line]
    assert len(ends) == len(set(ends)) == 10
    assert len(json.loads(printed.splitlines()[-1])["done"]) == 10
