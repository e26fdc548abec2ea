"""Runs on a part of their data: identities of their own, named as what they are, all else as before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.config import Study, read_study
from cambrian.errors import ConfigError
from cambrian.first_looks import read_halving
from cambrian.recipe import Recipe
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.session import make_study_plan
from cambrian.sweep.store import Store


def study(*words: str) -> Study:
    return read_study(expand(list(words)))


def recipe(*words: str) -> Recipe:
    (one,) = study(*words).recipes
    return one


WHOLE = recipe()


def test_the_whole_of_the_data_is_no_proxy() -> None:
    plain, whole = recipe("adapter=0.5M"), recipe("adapter=0.5M", "proxy=1")
    assert whole == plain
    assert "proxy" not in plain.axes and "proxy" not in plain.name
    lineage = Lineage()
    lineage.run(plain)
    for stage in lineage.stages.values():
        assert "proxy" not in stage.recipe_json and "proxy" not in stage.label


def test_a_proxy_says_so_everywhere() -> None:
    one = recipe("adapter=1.2M", "proxy=0.1")
    assert (one.adapter.examples, one.instruct.examples) == (600, round(recipe().instruct.examples * 0.1))
    assert one.axes["proxy"] == 0.1
    assert one.name == "siglip concat 1.2M frozen 737k s0 proxy 0.1"
    lineage = Lineage()
    run = lineage.run(one)
    assert run.axes["proxy"] == 0.1
    for stage in lineage.stages.values():
        if stage.kind in ("align", "tune"):
            assert stage.recipe["data"]["proxy"] == 0.1
            assert stage.label.endswith(" proxy 0.1")
        assert stage.axes.get("proxy") == (None if stage.kind in ("encoder", "language") else 0.1)


def test_a_part_is_never_the_same_stage_as_a_smaller_whole() -> None:
    half = recipe("adapter=1.2M", "proxy=0.5")
    small = recipe("adapter.examples.lab=3000", f"instruct.examples.lab={half.instruct.examples}")
    assert (half.adapter.examples, half.instruct.examples) == (3000, small.instruct.examples)
    lineage = Lineage()
    assert set(lineage.run(half).finals).isdisjoint(lineage.run(small).finals)


@settings(deadline=None)
@given(examples=st.integers(0, 10_000), proxy=st.floats(1e-6, 1))
def test_a_part_has_a_full_batch_if_the_whole_has(examples: int, proxy: float) -> None:
    part = replace(WHOLE, adapter=replace(WHOLE.adapter, examples=examples)).at(proxy).adapter.examples
    batch = WHOLE.scale.align.batch_size
    assert part == min(examples, max(batch, round(examples * proxy)))
    assert (part == 0) == (examples == 0)


def test_frozen_and_unfrozen_runs_share_the_align_stage_of_a_part(tmp_path: Path) -> None:
    plan, _ = make_study_plan(study("vision=frozen,unfrozen", "proxy=0.1,1.0"), Store(tmp_path / "store"))
    assert {kind: count.unique for kind, count in plan.kinds().items()} == {
        "encoder": 1,
        "language": 1,
        "align": 2,
        "tune": 4,
        "evaluate": 48,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["proxy=0"], "above 0 and at most 1; got 0"),
        (["proxy=1.5"], "above 0 and at most 1; got 1.5"),
        (["proxy=a"], "proxy expects a number"),
        (["preflight=maybe"], "unknown value of preflight 'maybe'"),
        (["halving=[0.3,0.1]"], "halving must list at least two ascending parts"),
        (["halving=0.3"], "halving must list at least two ascending parts"),
        (["halving=[0.3,true]"], "halving must list at least two ascending parts"),
        (["halving=[0.3,2]"], "halving must list at least two ascending parts"),
        (["halving=[0.3,1]", "proxy=0.5"], "leave proxy out"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_faults_name_what_is_allowed(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        study(*words)
    assert said in "\n".join(raised.value.faults)


def test_points_of_a_halved_study_are_its_runs_at_every_rung() -> None:
    halved = study("encoder=siglip,mae", "halving=[0.1,1]")
    assert halved.halving == (0.1, 1.0)
    assert [point.proxy for point in halved.points] == [0.1, 0.1, 1.0, 1.0]
    assert halved.points[2:] == halved.recipes


def test_no_halving_has_no_rungs() -> None:
    faults: list[str] = []
    assert read_halving(None, [], faults) == () and faults == []
