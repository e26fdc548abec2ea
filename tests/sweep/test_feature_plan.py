"""Features are kept where several stages share them and the disk is quicker than the encoders."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.config import read_study
from cambrian.hardware import find_gpu
from cambrian.sweep.cost import UTILISATION
from cambrian.sweep.feature_plan import DISK_BYTES_PER_SECOND, Candidate, candidates, worth_keeping
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.plan import Plan, make_plan
from cambrian.sweep.shapes import ENCODERS
from cambrian.sweep.store import Store

GPU = find_gpu("a100-80gb")
TERABYTES = 10**15


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def planned(store: Store, *words: str) -> tuple[Plan, Lineage]:
    lineage = Lineage()
    runs = [lineage.run(recipe) for recipe in read_study(expand(["scale=paper", *words])).recipes]
    return make_plan(runs, lineage.stages, store, {}), lineage


def found(store: Store, *words: str, gpus: int = 8) -> list[Candidate]:
    plan, lineage = planned(store, *words)
    return candidates(plan, lineage.works, GPU, gpus)


def test_a_single_run_shares_nothing(store: Store) -> None:
    assert [one.saved_seconds < 0 for one in found(store, "encoder=siglip")] == [True, True]
    plan, lineage = planned(store, "encoder=siglip")
    assert worth_keeping(plan, lineage.works, GPU, 8, TERABYTES) == ()


def test_what_connectors_share_is_counted_by_hand(store: Store) -> None:
    plan, lineage = planned(store, "encoder=siglip", "connector=concat,resampler,c_abstractor")
    captions, conversations = sorted(candidates(plan, lineage.works, GPU, 1), key=lambda one: -one.bytes)
    siglip, images = ENCODERS["siglip"], 1_246_901
    size = 2 * images * 27 * 27 * siglip.width
    seconds = images * siglip.flops / (GPU.flops * UTILISATION)
    assert captions.bytes == size
    assert captions.saved_seconds == pytest.approx(2 * seconds - 3 * size / DISK_BYTES_PER_SECOND)
    assert conversations.bytes < captions.bytes
    assert worth_keeping(plan, lineage.works, GPU, 1, 2 * size) == (captions,)
    assert worth_keeping(plan, lineage.works, GPU, 1, 4 * size) == (captions, conversations)
    assert worth_keeping(plan, lineage.works, GPU, 1, 1.5 * size) == (conversations,)


def test_many_quick_gpus_are_quicker_than_the_disk(store: Store) -> None:
    words = ("encoder=siglip", "connector=concat,resampler,c_abstractor")
    assert all(one.saved_seconds < 0 for one in found(store, *words, gpus=64))


def test_unfrozen_encoders_keep_nothing(store: Store) -> None:
    frozen = found(store, "encoder=clip", "connector=concat,resampler")
    unfrozen = found(store, "encoder=clip", "connector=concat,resampler", "vision=unfrozen")
    assert len(frozen) == 2
    assert len(unfrozen) == 1


def test_the_lab_keeps_nothing_of_itself(store: Store) -> None:
    lineage = Lineage()
    runs = [lineage.run(recipe) for recipe in read_study(expand(["connector=concat,sva"])).recipes]
    plan = make_plan(runs, lineage.stages, store, {})
    assert candidates(plan, lineage.works, GPU, 1) == []
