"""Successive halving: who goes on, what is made and shared, and how first looks are named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from ladder import FAKES, Ladder, ladder

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
def test_on_ray_tune_stops_those_below_the_best_of_those_before(tmp_path: Path) -> None:
    names = ("clip", "siglip", "dinov2", "mae")  # one worker takes them in this order
    scores = {name: {"0.3": score, "1": score} for name, score in zip(names, (30, 10, 20, 50), strict=True)}
    words = [f"encoder={','.join(names)}", "vision=frozen,unfrozen", *GRID[1:], "halving=[0.3,1.0]"]
    result = subprocess.run(
        [sys.executable, str(PROJECT / "run.py"), "-m", *words, "runtime.workers=1", "tracker=none"],
        env={
            **os.environ,
            "CAMBRIAN_STORE": str(tmp_path / "store"),
            "LADDER": json.dumps({"log": str(tmp_path / "log"), "scores": scores}),
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(FAKES)]),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = (tmp_path / "log").read_text().splitlines()
    assert set(Counter(line for line in lines if line.startswith("caption")).values()) == {1}
    tuned = Counter(" ".join(line.split()[1:4:2]) for line in lines if line.startswith("instruct"))
    assert tuned == {**{f"{name} 0.3": 2 for name in names}, "clip 1": 2, "mae 1": 2}
    assert result.stdout.count("first look at 30 %: ") == 8
    assert result.stdout.count("all data: ") == 4
