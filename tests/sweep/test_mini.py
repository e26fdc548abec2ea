"""scale=mini: the paper's choices with a small LLM on a tenth of the data, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cambrian.config import read_study
from cambrian.errors import ConfigError
from cambrian.recipe import Recipe
from cambrian.sections import Sections
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.session import run_sweep

ONE_GPU = ("price.gpu=a100-80gb", "price.gpus=1", "price.gpus_per_stage=1")
FOUR = "experiment=recipe_0M,recipe_0.5M,recipe_1.2M,recipe_1.2M_unfrozen"


def recipe(*words: str) -> Recipe:
    (found,) = read_study(expand(["scale=mini", *words])).recipes
    return found


def stages(one: Recipe) -> dict[str, dict[str, Any]]:
    lineage = Lineage()
    lineage.run(one)
    return {stage.kind: dict(stage.recipe) for stage in lineage.stages.values()}


def plan(capsys: pytest.CaptureFixture[str], store: Path, *words: str) -> dict[str, Any]:
    assert run_sweep(["scale=mini", *ONE_GPU, *words, "plan=json", f"store={store}"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("encoder", ["clip", "siglip"])
def test_a_run_costs_at_most_five_a100_hours(
    encoder: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    runs = [
        plan(capsys, tmp_path / "store", f"encoder={encoder}", f"experiment={name}")
        for name in FOUR.removeprefix("experiment=").split(",")
    ]
    assert all(0.1 < run["price"]["gpu_hours"] <= 5 for run in runs)
    assert all(run["price"]["high"] <= 5 for run in runs)
    assert all(line["verdicts"] == {"fits": line["stages"]} for line in runs[3]["price"]["kinds"].values())


@pytest.mark.parametrize("encoder", ["clip", "siglip"])
def test_all_four_recipes_of_an_encoder_take_less_than_a_day_on_one_gpu(
    encoder: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = plan(capsys, tmp_path / "store", f"encoder={encoder}", FOUR)
    assert len(found["runs"]) == 4
    assert found["price"]["wall_hours"] < 24
    assert found["price"]["high"] < 24


def test_a_tenth_is_recorded_and_never_taken_for_a_whole() -> None:
    kinds = stages(recipe())
    assert kinds["align"]["data"] == {
        "kind": "caption",
        "examples": 124690,
        "source": "sharegpt4v_pt",
        "context": 2048,
        "part": 0.1,
    }
    tenth = kinds["tune"]["data"]
    assert (tenth["examples"], tenth["source"], tenth["part"]) == (70880, "cambrian_737k", 0.1)
    (whole,) = read_study(expand(["scale=paper", "instruct.examples.paper=70880"])).recipes
    assert stages(whole)["tune"]["data"] == {key: value for key, value in tenth.items() if key != "part"}


def test_a_first_look_at_a_tenth_is_a_part_of_a_part() -> None:
    data = stages(recipe("proxy=0.5"))["tune"]["data"]
    assert (data["examples"], data["part"], data["proxy"]) == (35440, 0.1, 0.5)


def test_the_part_can_be_chosen() -> None:
    assert stages(recipe("scale.part=0.05"))["tune"]["data"]["examples"] == 35440
    assert "part" not in stages(recipe("scale.part=1.0", "scale.captions=2500000"))["tune"]["data"]
    with pytest.raises(ConfigError, match=r"scale\.part must be above 0 and at most 1, got 0"):
        recipe("scale.part=0.0")


def test_encoders_and_questions_are_the_papers() -> None:
    (paper,) = read_study(expand(["scale=paper", "llm=qwen2_5_0_5b"])).recipes
    mini, whole = stages(recipe()), stages(paper)
    assert (mini["encoder"], mini["language"]) == (whole["encoder"], whole["language"])
    assert mini["evaluate"] == whole["evaluate"]
    assert mini["tune"]["connector"] == whole["tune"]["connector"]


def test_the_llm_and_the_scale_stand_in_the_axes() -> None:
    axes = recipe("encoder=clip").axes
    assert (axes["scale"], axes["llm"]) == ("mini", "qwen2_5_0_5b")
    assert recipe("llm=vicuna_7b").axes["llm"] == "vicuna_7b"


def test_a_choice_says_at_mini_only_what_is_different() -> None:
    words = ["encoder=[siglip,clip]", "encoders.siglip.paper.grid=24", "connector=sva"]
    settings = recipe(*words).connector_settings
    assert settings["aggregation"] == {"start": 0, "stride": 3, "layers": 8}
    assert settings["groups"] == [24]
    words[-1] = "connector=sva_no_multi_agg"
    assert recipe(*words).connector_settings["aggregation"] is None


def test_settings_of_the_paper_section_are_those_of_mini() -> None:
    assert recipe("vision=unfrozen", "vision.lr.paper=3.0e-5").vision_lr == 3.0e-5
    with pytest.raises(ConfigError, match=r"vision=unfrozen needs a positive vision\.lr\.paper"):
        recipe("vision=unfrozen", "vision.lr.paper=0.0")


def test_sections() -> None:
    mini, lab = Sections("mini", "paper", 0.1), Sections("lab", None, 1.0)
    node = {"lab": {"side": 1}, "paper": {"side": 2, "inner": {"a": 1, "b": 2}}}
    assert lab.find(node) == {"side": 1} and mini.find(node) == node["paper"]
    own = {**node, "mini": {"inner": {"b": 3}}}
    assert mini.find(own) == {"side": 2, "inner": {"a": 1, "b": 3}}
    assert own["paper"]["inner"]["b"] == 2, "sections are shared: never changed"
    assert mini.find({"lab": {}}) is None
    assert mini.find({"mini": 7}) == 7 and mini.find({"paper": 5, "mini": 7}) == 7
    assert (mini.part_of({"paper": 5}), mini.part_of({"paper": 5, "mini": 7})) == (0.1, 1.0)
    assert (mini.base, lab.base) == ("paper", "lab")
