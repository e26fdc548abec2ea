"""Commands that fill what a figure lacks: they make these runs and no others."""

from __future__ import annotations

import itertools
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_store import LAB, fill, manifest, put
from hypothesis import given
from hypothesis import strategies as st

from analysis.missing import (
    MOST,
    Cell,
    cell_of,
    cells_of_models,
    command_lines,
    command_of,
    fill_commands,
    fill_notes,
    lacking,
)
from analysis.results import ROOT, read_results
from cambrian.config import read_study
from cambrian.sweep.grid import expand as compose

CELL = {
    "encoder": "clip",
    "connector": "concat",
    "adapter": "1.2M",
    "vision": "frozen",
    "instruct": "737k",
    "llm": "tiny",
    "scale": "lab",
    "seed": "0",
}
CHOICES = {
    "encoder": ("clip", "mae"),
    "adapter": ("0M", "0.5M"),
    "vision": ("frozen", "unfrozen"),
    "seed": ("0", "1"),
}


def expand(command: str) -> list[dict[str, str]]:
    """The runs that `command` makes."""
    words = [word for word in shlex.split(command) if "=" in word]
    axes = {axis: values.split(",") for axis, _, values in (word.partition("=") for word in words)}
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


@given(st.sets(st.tuples(*(st.sampled_from(values) for values in CHOICES.values())), min_size=1))
def test_commands_make_the_missing_runs_and_each_once(points: set[tuple[str, ...]]) -> None:
    cells = [{**CELL, **dict(zip(CHOICES, point, strict=True))} for point in points]
    made = [
        tuple({"seed": "0", **run}[axis] for axis in CHOICES)
        for command in fill_commands(cells)
        for run in expand(command)
    ]
    assert sorted(made) == sorted(points)


def test_a_grid_is_one_command() -> None:
    cells = [{**CELL, "encoder": e, "seed": s} for e in ("siglip", "clip") for s in ("0", "1")]
    (command,) = fill_commands(cells)
    assert command == (
        "python run.py -m encoder=clip,siglip connector=concat adapter=1.2M vision=frozen instruct=737k "
        "seed=0,1"
    )


PAPER = {"scale": "paper", "llm": "vicuna_7b"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, "encoder=clip connector=concat adapter=1.2M vision=frozen instruct=737k", id="lab"),
        pytest.param(
            {"encoder": "clip+dinov2", "adapter": "0M", "vision": "unfrozen last 2", "seed": "3"},
            "'encoder=[clip,dinov2]' connector=concat adapter=0M vision=unfrozen vision.blocks=2 "
            "instruct=737k seed=3",
            id="several encoders, trained in part",
        ),
        pytest.param(
            {"scale": "mini", "llm": "smollm2_360m", "proxy": "0.1", "answering": "likelihood"},
            "encoder=clip connector=concat adapter=1.2M vision=frozen instruct=737k llm=smollm2_360m "
            "scale=mini 'benchmarks.paper.include=[mmb,seed_i,sqa_i,ai2d,mmvp,cvbench_2d,cvbench_3d]' "
            "proxy=0.1 benchmarks.answering=likelihood",
            id="a first look by likelihood",
        ),
        pytest.param(
            {**PAPER, "encoder": "siglip+clip+dinov2+convnext", "connector": "sva"},
            "'encoder=[siglip,clip,dinov2,convnext]' connector=sva adapter=1.2M vision=frozen instruct=737k "
            "llm=vicuna_7b scale=paper connector.paper.side=24 encoders.siglip.paper.grid=24 "
            "encoders.convnext.paper.grid=96",
            id="real encoders together under SVA",
        ),
        pytest.param(
            {**PAPER, "encoder": "mae_h", "connector": "sva"},
            "encoder=mae_h connector=sva adapter=1.2M vision=frozen instruct=737k llm=vicuna_7b scale=paper "
            "encoders.mae_h.paper.grid=24",
            id="a real encoder whose grid SVA cannot divide",
        ),
    ],
)
def test_a_run_is_spelt_as_planning_takes_it(changes: dict[str, str], words: str) -> None:
    cell = {**CELL, **changes}
    command = command_of(cell)
    assert command == f"python run.py {words}"
    (recipe,) = read_study(compose(shlex.split(command)[2:])).recipes
    axes = {"proxy": 1.0, **recipe.axes}
    blocks = f" last {axes['vision_blocks']}" if "vision_blocks" in axes else ""
    found = {
        **{name: str(value) for name, value in axes.items()},
        "encoder": "+".join(axes["encoder"]),
        "vision": f"{axes['vision']}{blocks}",
        "proxy": f"{axes['proxy']:g}",
        "answering": recipe.benchmarks.answering,
    }
    assert {axis: found[axis] for axis in cell} == {**cell, "llm": found["llm"]}
    assert cell["scale"] == "lab" or found["llm"] == cell["llm"]


def test_a_list_of_several_encoders_is_planned_from_the_command_line() -> None:
    cells = [{**CELL, "encoder": e, "adapter": a} for e in ("mae", "clip+dinov2") for a in ("0M", "0.5M")]
    (command,) = fill_commands(cells)
    program, *words = shlex.split(command)
    assert (program, words[:2]) == ("python", ["run.py", "-m"])
    done = subprocess.run(
        [sys.executable, *words, "plan=true"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 runs")


def test_designs_that_need_other_settings_are_other_commands() -> None:
    """Blocks belong to unfrozen encoders, grids to SVA: in a list others would get them too."""
    cells = [{**CELL, "vision": vision} for vision in ("frozen", "unfrozen", "unfrozen last 4")]
    assert len(fill_commands(cells)) == 2
    pair = {**CELL, **PAPER, "encoder": "siglip+clip"}
    commands = fill_commands([{**pair, "connector": connector} for connector in ("concat", "sva")])
    assert [" encoders.siglip.paper.grid=24" in command for command in commands] == [False, True]


def test_what_settings_made_is_named() -> None:
    cells = [{**CELL, "encoder": "mine+clip", "instruct": "our_rows"}, {**CELL, "llm": "tiny"}]
    assert command_lines(cells)[-1] == (
        "with the settings that were given for encoder mine, instruct our_rows, which no file in conf/ has"
    )
    assert len(command_lines([CELL])) == 1


def test_the_cell_of_an_evaluation_is_its_run(tmp_path: Path) -> None:
    axes = {"vision": "unfrozen", "vision_blocks": 2, "seed": 5, "proxy": 0.25, "answering": "likelihood"}
    put(tmp_path, manifest(("siglip", "mae"), axes=axes))
    row: dict[Any, Any] = read_results(tmp_path, proxy=0.25, answering="likelihood").frame.iloc[0].to_dict()
    assert cell_of(row) == {
        **CELL,
        "encoder": "siglip+mae",
        "vision": "unfrozen last 2",
        "seed": "5",
        "proxy": "0.25",
        "answering": "likelihood",
    }


def test_a_model_that_lacks_benchmarks_is_found_by_seed(tmp_path: Path) -> None:
    fill(tmp_path, ("clip",))
    put(tmp_path, manifest(("clip",), "depth", axes={"seed": 1}))
    frame: pd.DataFrame = read_results(tmp_path).frame
    gaps = lacking(frame, LAB)
    assert list(gaps.values()) == [tuple(sorted(set(LAB) - {"depth"}))]
    assert fill_commands(cells_of_models(frame, gaps)) == [command_of({**CELL, "seed": "1"})]
    assert lacking(frame, ["depth"]) == {}
    assert lacking(frame.iloc[:0], LAB) == {}


def test_many_commands_are_cut_short() -> None:
    cells: list[Cell] = [
        {**CELL, "encoder": f"e{i}", "adapter": f"{i}M", "connector": f"c{i}"} for i in range(MOST + 2)
    ]
    (note,) = fill_notes("runs", cells)
    assert note.startswith("missing: runs; to fill it:\n  python run.py encoder=e0")
    assert note.count("python run.py") == MOST
    assert "\n  and 2 more\n" in note
    assert fill_notes("runs", []) == ()
