"""Commands that fill what a figure lacks: they make these runs and no others."""

from __future__ import annotations

import itertools
import shlex

from hypothesis import given
from hypothesis import strategies as st

from analysis.missing import AXES, fill_commands, fill_notes

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


def test_several_encoders_some_blocks_and_other_scales_are_spelt_as_the_command_line_takes_them() -> None:
    cell = {
        **CELL,
        "encoder": "clip+dinov2",
        "vision": "unfrozen last 4",
        "scale": "mini",
        "llm": "smollm2_360m",
    }
    (command,) = fill_commands([cell])
    assert command == (
        "python run.py 'encoder=[clip,dinov2]' connector=concat adapter=1.2M vision=unfrozen vision.blocks=4 "
        "instruct=737k llm=smollm2_360m scale=mini"
    )
    assert list(expand(command)[0]) == [axis for axis in AXES if axis != "seed"]


def test_many_commands_are_cut_short() -> None:
    cells = [{**CELL, "encoder": f"e{i}", "adapter": f"{i}M", "connector": f"c{i}"} for i in range(8)]
    (note,) = fill_notes("runs", cells)
    assert note.startswith("missing: runs; to fill it:\n  python run.py encoder=e0")
    assert note.endswith("\n  and 2 more")
    assert fill_notes("runs", []) == ()
