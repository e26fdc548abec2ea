"""Deviations of runs from the paper, the released scripts and LLaVA-1.5."""

from __future__ import annotations

import pytest

from cambrian.config import read_study
from cambrian.errors import UserError
from cambrian.recipe import Recipe
from cambrian.sweep.fidelity import deviations, print_fidelity
from cambrian.sweep.grid import expand_sweeps, sweep_names

LLAVA = ("encoder=clip", "adapter=0.5M", "instruct=665k", "scale=paper")


def recipes(*words: str) -> tuple[Recipe, ...]:
    return read_study(expand_sweeps(sweep_names(words), words)).recipes


@pytest.mark.parametrize(
    "sweep",
    ["fig5", "fig6", "fig7", "table_ensembles", "table_data_balance", "table_data_ratio", "cambrian1"],
)
def test_sweeps_use_the_settings_that_the_paper_prints(sweep: str):
    assert [deviations(recipe, "paper") for recipe in recipes(f"sweep={sweep}", "scale=paper")] == [
        [] for _ in recipes(f"sweep={sweep}", "scale=paper")
    ]


def test_a_changed_setting_is_found_with_both_values():
    (recipe,) = recipes("encoder=clip", "scale=paper", "scale.tune.batch_size=128", "vision=unfrozen")
    (found,) = deviations(recipe, "paper")
    assert (found.key, found.here, found.there) == ("tune.batch_size", 128, 512)


def test_an_absent_stage_has_no_deviations():
    (recipe,) = recipes("encoder=clip", "scale=paper", "adapter=0M", "scale.align.batch_size=1")
    assert deviations(recipe, "paper") == []


def test_the_study_is_not_llava():
    (recipe,) = recipes(*LLAVA)
    assert {found.key for found in deviations(recipe, "llava_1.5")} == {
        "align.batch_size",
        "align.warmup_fraction",
        "tune.batch_size",
    }


def test_llava_can_be_had():
    words = ("scale.align.batch_size=256", "scale.align.warmup_fraction=0.03", "scale.tune.batch_size=128")
    (recipe,) = recipes(*LLAVA, *words)
    assert deviations(recipe, "llava_1.5") == []


def test_the_lab_is_another_scale():
    assert "scale" in {found.key for found in deviations(recipes("encoder=clip")[0], "paper")}


def test_runs_with_the_same_deviations_share_a_table(capsys: pytest.CaptureFixture[str]):
    print_fidelity(recipes("sweep=fig6", "scale=paper"), "paper")
    assert capsys.readouterr().out.count("as paper says") == 1


def test_an_unknown_reference_is_named():
    with pytest.raises(UserError, match=r"did you mean 'llava_1\.5'"):
        deviations(recipes("encoder=clip")[0], "llava")
