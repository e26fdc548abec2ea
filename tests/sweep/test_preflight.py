"""The preflight: which combinations it tries, with what, when it runs at all, and what it leaves."""

from __future__ import annotations

import pytest
from ladder import Ladder, ladder

from cambrian.sweep.plan import State
from cambrian.sweep.preflight import LONG_SECONDS, plan_preflight

__all__ = ["ladder"]

SMALL = ("adapter.examples.lab=960", "instruct.examples.lab=640")


def short(ladder: Ladder) -> list[str]:
    """Training lines of the preflight: two batches of 32."""
    return sorted(line for line in ladder.counts().elements() if line.endswith(" 64"))


def test_every_combination_is_tried_once_with_two_steps_and_two_questions(ladder: Ladder) -> None:
    words = [
        "encoder=siglip,mae",
        "connector=concat,sva",
        "adapter=0M,1.2M",
        "seed=0,1",
        "instruct=665k,737k",
    ]
    study = ladder.study(*words)
    plan = plan_preflight(study.points, ladder.store)
    assert [run.name for run in plan.runs] == [
        f"{encoder} {connector} vicuna_7b frozen"
        for encoder in ("siglip", "mae")
        for connector in ("concat", "sva")
    ]
    assert {kind: (count.unique, count.pending) for kind, count in plan.kinds().items()} == {
        "encoder": (2, 0),
        "language": (1, 0),
        "align": (4, 4),
        "tune": (4, 4),
        "evaluate": (8, 8),
    }
    for stage in plan.stages.values():
        if stage.kind in ("align", "tune"):
            assert stage.recipe["data"]["examples"] == 2 * stage.recipe["optimization"]["batch_size"]
        if stage.kind == "evaluate":
            assert stage.recipe["questions"] == 2


def test_settings_of_one_connector_are_combinations_with_names_of_their_own(ladder: Ladder) -> None:
    study = ladder.study("connector=sva", "connector.lab.groups=[1],[2]")
    plan = plan_preflight(study.points, ladder.store)
    assert len({run.name for run in plan.runs}) == 2


def test_freezing_makes_a_combination_and_shares_the_align_stage(ladder: Ladder) -> None:
    plan = plan_preflight(ladder.study("vision=frozen,unfrozen").points, ladder.store)
    assert {kind: count.pending for kind, count in plan.kinds().items()} == {
        "encoder": 0,
        "language": 0,
        "align": 1,
        "tune": 2,
        "evaluate": 4,
    }


def test_an_encoder_that_is_nowhere_is_pre_trained_in_two_steps(ladder: Ladder) -> None:
    study = ladder.study("encoders.siglip.lab.optimization.steps=900")
    plan = plan_preflight(study.points, ladder.store)
    (encoder,) = [stage for stage in plan.stages.values() if stage.kind == "encoder"]
    assert plan.states[encoder.digest] is State.PENDING
    assert encoder.recipe["optimization"]["steps"] == 2


def test_a_passed_preflight_comes_first_and_leaves_nothing(
    ladder: Ladder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ladder.run("encoder=siglip,mae", *SMALL, "preflight=true") == 0
    assert short(ladder) == [
        f"{kind} {encoder} concat 1 64" for kind in ("caption", "instruct") for encoder in ("mae", "siglip")
    ]
    lines = list(ladder.counts())
    trained = [line for line in lines if line.split()[0] in ("caption", "instruct")]
    assert [line.endswith(" 64") for line in trained] == [True] * 4 + [False] * 4
    assert set(ladder.counts().values()) == {1}
    assert sum(line.startswith("evaluate") and line.split()[2] == "2" for line in lines) == 4
    assert "preflight: 2 combinations passed in" in capsys.readouterr().out
    assert not (ladder.store.root / "cache" / "preflight").exists()
    assert len(ladder.store.digests("tune")) == 2
    assert {a.manifest["recipe"]["data"]["examples"] for a in ladder.store.artifacts("tune")} == {640}


def test_a_failed_preflight_starts_nothing(ladder: Ladder, capsys: pytest.CaptureFixture[str]) -> None:
    ladder.script(fails=["instruct mae"])
    assert ladder.run("encoder=siglip,mae", *SMALL, "preflight=true") == 1
    assert [line for line in ladder.counts() if line.endswith((" 640", " 960"))] == []
    printed = capsys.readouterr().out
    assert "preflight failed: mae concat vicuna_7b frozen: tune mae" in printed
    assert "ValueError: no good: instruct mae" in printed
    assert "preflight failed: siglip" not in printed
    assert not (ladder.store.root / "cache" / "preflight").exists()
    assert ladder.store.digests("tune") == set()
    ladder.script()
    assert ladder.run("encoder=siglip,mae", *SMALL, "preflight=false") == 0
    assert short(ladder) == []


def test_what_is_finished_is_not_tried_again(ladder: Ladder) -> None:
    assert ladder.run("encoder=siglip", *SMALL, "preflight=false") == 0
    ladder.script()
    assert ladder.run("encoder=siglip,mae", *SMALL, "preflight=true") == 0
    assert short(ladder) == ["caption mae concat 1 64", "instruct mae concat 1 64"]
    ladder.script()
    assert ladder.run("encoder=siglip,mae", *SMALL, "preflight=true") == 0
    assert not ladder.counts()


@pytest.mark.parametrize("examples", [640, 48_000])
def test_auto_looks_before_long_training_only(ladder: Ladder, examples: int) -> None:
    study = ladder.study("adapter=0M", f"instruct.examples.lab={examples}")
    assert study.preflight == "auto"
    longest = max(ladder.plan(study).seconds.values())
    assert (longest > LONG_SECONDS) == (examples == 48_000)
    assert ladder.run("adapter=0M", f"instruct.examples.lab={examples}") == 0
    assert len(short(ladder)) == (examples == 48_000)
