"""vision.blocks: the last blocks of the encoders train, and the plan knows it."""

from __future__ import annotations

import pytest

from cambrian.config import read_study
from cambrian.errors import ConfigError
from cambrian.hardware import find_gpu
from cambrian.recipe import Recipe
from cambrian.sweep.cost import price
from cambrian.sweep.fidelity import deviations
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.preflight import plan_preflight
from cambrian.sweep.store import Store

UNFROZEN = "vision=unfrozen"


def recipes(*words: str) -> tuple[Recipe, ...]:
    return read_study(expand(list(words))).recipes


def tunes(*words: str) -> list[dict]:
    found = []
    for recipe in recipes(*words):
        lineage = Lineage()
        lineage.run(recipe)
        found += [dict(stage.recipe) for stage in lineage.stages.values() if stage.kind == "tune"]
    return found


def test_it_enters_the_recipe_only_when_it_is_set() -> None:
    whole, part = tunes(UNFROZEN, "vision.blocks=null,2")
    assert "vision_blocks" not in whole
    assert part == {**whole, "vision_blocks": 2}


def test_of_a_frozen_encoder_it_says_nothing() -> None:
    (plain,) = tunes("vision=frozen")
    assert tunes("vision=frozen,unfrozen", "vision.blocks=2")[0] == plain
    with pytest.raises(ConfigError, match="is for vision=unfrozen, and every run has"):
        recipes("vision.blocks=2")


def test_it_goes_with_an_experiment_that_unfreezes() -> None:
    words = ["experiment=recipe_0M,recipe_1.2M_unfrozen", "vision.blocks=2"]
    assert [recipe.vision_blocks for recipe in recipes(*words)] == [None, 2]


def test_names_and_axes_tell_it() -> None:
    (part,) = recipes("encoder=clip", UNFROZEN, "vision.blocks=2")
    assert part.name == "clip concat 1.2M unfrozen last 2 737k s0"
    assert (part.axes["vision"], part.axes["vision_blocks"]) == ("unfrozen", 2)
    (whole,) = recipes("encoder=clip", UNFROZEN)
    assert whole.freezing == "unfrozen" and "vision_blocks" not in whole.axes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encoder=siglip", "vision.blocks=4"], "vision.blocks=4: encoder 'siglip' has 3 blocks"),
        (["encoder=convnext", "vision.blocks=99"], "encoder 'convnext' has "),
        (["encoder=siglip", "vision.blocks=0"], "vision.blocks=0: encoder 'siglip' has 3 blocks"),
        (["encoder=siglip", "vision.blocks=few"], "vision.blocks must be a whole number, got 'few'"),
        (["scale=paper", "encoder=clip", "vision.blocks=24"], "encoder 'clip' has 23 blocks"),
        (["scale=paper", "encoder=[dinov2,convnext]", "connector.paper.side=24", "vision.blocks=25"], "24"),
    ],
    ids=str,
)
def test_more_blocks_than_there_are(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        recipes(UNFROZEN, *words)
    assert said in str(raised.value)


def test_a_layer_further_in_front_has_fewer_blocks() -> None:
    words = ["scale=paper", "encoder=clip", UNFROZEN, "encoders.clip.paper.architecture.layer=-10"]
    assert recipes(*words, "vision.blocks=15")
    with pytest.raises(ConfigError, match="has 15 blocks"):
        recipes(*words, "vision.blocks=16")


def test_the_price_falls_with_the_blocks() -> None:
    gpu, hours, memory, disk = find_gpu("a100-80gb"), [], [], []
    for word in ("vision.blocks=3", "vision.blocks=12", "vision.blocks=24", "vision.blocks=null"):
        lineage = Lineage()
        lineage.run(recipes("scale=paper", "encoder=dinov2", UNFROZEN, word)[0])
        (work,) = [work for work in lineage.works.values() if work.kind == "tune unfrozen"]
        one = price(work, gpu, 8)
        hours, memory, disk = [*hours, one.gpu_hours], [*memory, one.memory_bytes], [*disk, one.disk_bytes]
    assert hours[0] < hours[1] < hours[2] == hours[3]
    assert memory[0] < memory[1] < memory[2] == memory[3]
    assert len(set(disk)) == 1, "the whole encoder is stored"


def test_a_preflight_tries_it(tmp_path) -> None:
    found = plan_preflight(recipes(UNFROZEN, "vision.blocks=1,2,null"), Store(tmp_path))
    assert len(found.runs) == 3
    assert {stage.recipe.get("vision_blocks") for stage in found.stages.values() if stage.kind == "tune"} == {
        1,
        2,
        None,
    }


def test_the_paper_trained_all_of_it() -> None:
    (part,) = recipes("scale=paper", "encoder=clip", UNFROZEN, "vision.blocks=4")
    (found,) = deviations(part, "paper")
    assert (found.key, found.here, found.there) == ("vision.blocks", 4, "all")
