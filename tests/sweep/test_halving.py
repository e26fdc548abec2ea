"""Successive halving: who goes on, what is made and shared, and how first looks are named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from ladder import Ladder, ladder

from cambrian.runtime import PROJECT
from cambrian.sweep.halving import Standings, find_candidates

__all__ = ["ladder"]

ENCODERS = ("clip", "siglip", "dinov2", "mae", "sam", "convnext", "random")
GRID = (f"encoder={','.join(ENCODERS)}", "preflight=false", "benchmarks.lab.include=[lab_count]")
SCORES = {
    # At a tenth siglip, mae and sam lead; of those sam is best at 0.3, where it counts.
    "clip": {"0.1": 10},
    "siglip": {"0.1": 70, "0.3": 40},
    "dinov2": {"0.1": 20},
    "mae": {"0.1": 60, "0.3": 50},
    "sam": {"0.1": 50, "0.3": 80, "1": 90},
    "convnext": {"0.1": 30},
    "random": {"0.1": 5},
}


def test_exactly_the_best_go_on(ladder: Ladder, capsys: pytest.CaptureFixture[str]) -> None:
    ladder.script(scores=SCORES)
    assert ladder.run(*GRID, "halving=[0.1,0.3,1.0]") == 0
    assert ladder.trained() == [
        *(f"{encoder} 0.1" for encoder in ENCODERS),
        *("siglip 0.3", "mae 0.3", "sam 0.3"),
        "sam 1",
    ]
    assert set(ladder.counts().values()) == {1}
    printed = capsys.readouterr().out
    rows = [line.split("│")[1:-1] for line in printed.splitlines() if line.startswith("│")]
    cells = [[row[0].split()[0], *(cell.strip() for cell in row[1:])] for row in rows]
    assert cells == [
        ["sam", "50.0", "80.0", "90.0"],
        ["mae", "60.0", "50.0", ""],
        ["siglip", "70.0", "40.0", ""],
        ["convnext", "30.0", "", ""],
        ["dinov2", "20.0", "", ""],
        ["clip", "10.0", "", ""],
        ["random", "5.0", "", ""],
    ]
    for words in ("first look at 10 %", "first look at 30 %", "all data", "a first look is no result"):
        assert words in printed


def test_every_first_look_in_the_store_says_so(ladder: Ladder) -> None:
    ladder.script(scores=SCORES)
    ladder.run(*GRID, "halving=[0.1,0.3,1.0]")
    parts = Counter(a.manifest["axes"].get("proxy", 1.0) for a in ladder.store.artifacts("evaluate"))
    assert parts == {0.1: 7, 0.3: 3, 1.0: 1}


def test_the_last_rung_is_the_run_itself(ladder: Ladder) -> None:
    ladder.script(scores=SCORES)
    ladder.run(*GRID, "halving=[0.1,0.3,1.0]")
    ladder.script()
    assert ladder.run("encoder=sam", *GRID[1:]) == 0
    assert not ladder.counts()


def test_what_looks_share_is_made_once_and_a_second_time_nothing_is_made(ladder: Ladder) -> None:
    words = ("encoder=clip,sam", "vision=frozen,unfrozen", *GRID[1:], "halving=[0.1,0.5]")
    ladder.script(scores={"clip": {"0.1": 50}, "sam": {"0.1": 60, "0.5": 60}})
    assert ladder.run(*words) == 0
    assert {line for line in ladder.counts() if line.startswith("caption")} == {
        "caption clip concat 0.1 600",
        "caption sam concat 0.1 600",
        "caption sam concat 0.5 3000",
    }
    assert Counter(ladder.trained()) == {"clip 0.1": 2, "sam 0.1": 2, "sam 0.5": 1}
    ladder.script()
    assert ladder.run(*words) == 0
    assert not ladder.counts()


def test_a_failed_run_is_out_and_the_others_go_on(ladder: Ladder, capsys: pytest.CaptureFixture[str]) -> None:
    ladder.script(scores=SCORES, fails=["instruct siglip concat 0.1"])
    assert ladder.run(*GRID, "halving=[0.1,0.3,1.0]") == 1
    assert ladder.trained()[7:] == ["mae 0.3", "sam 0.3", "sam 1"]
    printed = capsys.readouterr().out
    assert "no result: siglip concat 1.2M frozen 737k s0: ValueError: no good: instruct siglip" in printed
    ladder.script(scores=SCORES)
    assert ladder.run(*GRID, "halving=[0.1,0.3,1.0]") == 0
    assert ladder.trained() == ["siglip 0.1", "siglip 0.3"]


def test_a_plan_counts_all_that_may_run(ladder: Ladder) -> None:
    study = ladder.study(*GRID, "halving=[0.1,0.3,1.0]")
    plan = ladder.plan(study)
    assert plan.kinds()["tune"].pending == 7 * 3
    assert [len(candidate.stages) for candidate in find_candidates(study, plan)] == [3] * 7


@pytest.mark.parametrize(
    ("runs", "rungs", "left"),
    [
        (9, (0.1, 0.3, 0.9), 3),
        (8, (0.1, 0.3, 1.0), 3),
        (8, (0.25, 0.5, 1.0), 4),
        (1, (0.5, 1.0), 1),
        (3, (0.1, 1.0), 1),
    ],
)
def test_how_many_go_on(ladder: Ladder, runs: int, rungs: tuple[float, ...], left: int) -> None:
    study = ladder.study(f"seed={','.join(map(str, range(runs)))}", f"halving={list(rungs)}".replace(" ", ""))
    standings = Standings(find_candidates(study, ladder.plan(study)), rungs)
    names = list(standings.candidates)
    for place, name in enumerate(names):
        standings.scores[name].append(float(place))
    assert standings.best(names, 0) == names[::-1][:left]


@pytest.mark.slow
def test_on_ray_each_stage_is_made_once_and_tune_stops_the_worst(tmp_path: Path) -> None:
    words = [
        *("-m", "encoder=siglip,pixels,random", "vision=frozen", "halving=[0.3,1.0]", "preflight=false"),
        *("adapter.examples.lab=64", "instruct.examples.lab=128", "tracker=none"),
        *("benchmarks.lab.include=[lab_count]", "benchmarks.lab.questions=8"),
    ]
    result = subprocess.run(
        [sys.executable, str(PROJECT / "run.py"), *words],
        env={**os.environ, "CAMBRIAN_STORE": str(tmp_path / "store")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    records = (tmp_path / "store" / "tracking").glob("*.jsonl")
    assert {sum('"summary"' in line for line in path.read_text().splitlines()) for path in records} == {1}
    looks = [line for line in result.stdout.splitlines() if line.startswith("first look at 30 %: ")]
    assert len(looks) == 3
    whole = [line for line in result.stdout.splitlines() if line.startswith("all data: ")]
    assert 1 <= len(whole) <= 3
    assert len(list((tmp_path / "store" / "tune").iterdir())) == 3 + len(whole)
