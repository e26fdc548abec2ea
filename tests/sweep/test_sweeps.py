"""The sweeps of the paper's figures and tables: every file composes and plans, at every scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.config import Study, read_study
from cambrian.errors import ConfigError
from cambrian.sweep.grid import SWEEPS, expand_sweeps, sweep_names
from cambrian.sweep.plan import Plan
from cambrian.sweep.session import make_study_plan
from cambrian.sweep.store import Store

RUNS = {
    "fig5": {"lab": 24, "paper": 92},
    "fig6": {"lab": 8, "paper": 23},
    "fig7": {"lab": 8, "paper": 8},
    "table_ensembles": {"lab": 5, "paper": 7},
    "table_connectors": {"lab": 4, "paper": 4},
    "table_token_reduction": {"lab": 4, "paper": 4},
    "table_sva_ablation": {"lab": 6, "paper": 6},
    "table_data_balance": {"lab": 0, "paper": 4},
    "table_data_ratio": {"lab": 3, "paper": 8},
    "cambrian1": {"lab": 1, "paper": 3},
    "response_format": {"lab": 1, "paper": 2},
}
"""Different runs of each sweep; the lab has six of the encoders, the controls, and one LLM."""
LEFT_OUT_OF_MINI = {"fig6": ["encoder 'random'", "encoder 'pixels'"]}
"""What does not exist at scale=mini: the controls of the lab, and nothing else."""


def study(*words: str) -> Study:
    return read_study(expand_sweeps(sweep_names(words), words))


def plan(found: Study, folder: Path) -> Plan:
    return make_study_plan(found, Store(folder / "store"))[0]


def test_every_file_is_expected():
    assert {path.stem for path in SWEEPS.glob("*.yaml")} == set(RUNS)


@pytest.mark.parametrize("scale", ["lab", "mini", "paper"])
@pytest.mark.parametrize("name", RUNS)
def test_every_sweep_plans(name: str, scale: str, tmp_path: Path):
    found = study(f"sweep={name}", f"scale={scale}")
    planned = plan(found, tmp_path)
    assert len(planned.runs) == RUNS[name]["lab" if scale == "lab" else "paper"]
    assert all(reason.endswith(f"does not exist at scale={scale}") for reason in found.left_out)
    benchmarks = 12 if scale == "lab" else 16
    assert all(len(run.finals) == benchmarks for run in planned.runs)
    if scale == "mini":
        lacking = [f"{what} does not exist at scale=mini" for what in LEFT_OUT_OF_MINI.get(name, [])]
        assert found.left_out == dict.fromkeys(lacking, 1)


def test_recipes_with_and_without_unfreezing_share_what_comes_before(tmp_path: Path):
    kinds = plan(study("sweep=fig5", "scale=paper"), tmp_path).kinds()
    assert {kind: count.unique for kind, count in kinds.items()} == {
        "encoder": 23,
        "language": 1,
        "align": 23 * 2,
        "tune": 23 * 4,
        "evaluate": 23 * 4 * 16,
    }


def test_138_runs_have_138_tune_and_46_align_stages(tmp_path: Path):
    encoders = ",".join(recipe.encoders[0].name for recipe in study("sweep=fig6", "scale=paper").recipes)
    words = (f"encoder={encoders}", "adapter=0M,0.5M,1.2M", "vision=frozen,unfrozen", "scale=paper")
    kinds = plan(study(*words), tmp_path).kinds()
    assert (kinds["tune"].unique, kinds["align"].unique) == (138, 46)


def test_a_union_of_sweeps_counts_what_they_share_once(tmp_path: Path):
    planned = plan(study("sweep=[fig5,fig7]", "scale=paper"), tmp_path)
    # Figure 7 has CLIP and DINOv2 with 737k, frozen and unfrozen, in common with Figure 5.
    assert len(planned.runs) == 92 + 8 - 4


def test_the_form_of_the_answer_is_an_axis_of_data_alone(tmp_path: Path):
    planned = plan(study("sweep=response_format", "scale=paper"), tmp_path)
    assert sorted(run.axes["instruct"] for run in planned.runs) == ["7m", "7m-no-format"]
    kinds = {kind: count.unique for kind, count in planned.kinds().items()}
    assert kinds == {"encoder": 1, "language": 1, "tune": 2, "evaluate": 2 * 16}


def test_a_sweep_is_refined_on_the_command_line(tmp_path: Path):
    planned = plan(study("sweep=fig6", "encoder=siglip,dinov2", "seed=0,1,2"), tmp_path)
    assert len(planned.runs) == 6


def test_exclusions_leave_points_out_and_say_why():
    rule = "exclude=[{encoder: dinov2, vision: [unfrozen], reason: diverges}]"
    found = study("encoder=siglip,dinov2,[siglip,dinov2]", "vision=frozen,unfrozen", rule)
    assert len(found.recipes) == 4
    assert found.left_out == {"diverges": 2}


def test_an_excluded_point_may_be_impossible():
    rule = "exclude=[{encoder: pixels, vision: unfrozen, reason: it has no weights}]"
    assert len(study("encoder=siglip,pixels", "vision=frozen,unfrozen", rule).recipes) == 3


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("exclude=3", "exclude expects a list"),
        ("exclude=[siglip]", "exclude must be a list of mappings"),
        ("exclude=[{encodr: mae, reason: x}]", "unknown axis in exclude 'encodr'; did you mean 'encoder'?"),
        ("exclude=[{encoder: maee, reason: x}]", "unknown encoder in exclude 'maee'; did you mean 'mae'?"),
        ("exclude=[{encoder: mae}]", "needs at least one axis and a reason"),
        ("unavailable=ignore", "unknown value of unavailable 'ignore'"),
        ("encoder=mae_h", "encoder 'mae_h' does not exist at scale=lab"),
        ("benchmarks.lab.include=[gqa]", "benchmark 'gqa' does not exist at scale=lab"),
        ("benchmarks.lab.include=[gqaa]", "unknown benchmark 'gqaa'"),
    ],
)
def test_faults_of_left_out_points_are_named(word: str, said: str):
    with pytest.raises(ConfigError) as raised:
        study(word)
    assert said in str(raised.value)
