import itertools
import random

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cambrian.errors import ConfigError, UserError
from cambrian.sweep import composition, grid

EXPERIMENTS = ["recipe_1.2M_unfrozen", "sva_g2", "tokens_36_interpolate", "cambrian_13b"]
AXES = {
    "encoder": ["siglip", "dinov2", "[siglip,dinov2]", "random"],
    "connector": ["concat", "mlp", "sva", "sva_no_multi_agg"],
    "adapter": ["0M", "0.5M", "1.2M"],
    "vision": ["frozen", "unfrozen"],
    "seed": ["0", "3"],
    "scale.tune.batch_size": ["32", "16"],
}


def test_points_equal_hydras_own_composition():
    points = [
        [f"{key}={value}" for key, value in zip(AXES, values, strict=True)]
        for values in itertools.product(*AXES.values())
    ]
    words = [f"{key}={','.join(values)}" for key, values in AXES.items()]
    ours = grid.expand(words)
    assert len(ours) == len(points)
    sampled = random.Random(0).sample(range(len(points)), 12)
    with initialize_config_dir(str(composition.CONF), version_base="1.3"):
        for index in sampled:
            theirs = OmegaConf.to_container(hydra_compose("config", points[index]))
            assert ours[index] == theirs, points[index]
            assert list(ours[index]["encoders"]) == list(theirs["encoders"])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("word", ["adapter=0M", "encoder=mae", "seed=4", "scale=paper", "scale=mini"])
def test_experiments_equal_hydras_own_composition(experiment, word):
    words = [f"experiment={experiment}", word]
    (ours,) = grid.expand(words)
    with initialize_config_dir(str(composition.CONF), version_base="1.3"):
        theirs = OmegaConf.to_container(hydra_compose("config", words))
    at = theirs.pop("at", {}).get(ours["scale"]["name"])
    if at:
        theirs["scale"]["align"]["lr"] |= at["scale"]["align"]["lr"]
    assert ours == theirs


@pytest.mark.parametrize(
    ("words", "llm"),
    [
        ([], "qwen2_5_0_5b"),
        (["llm=vicuna_7b"], "vicuna_7b"),
        (["experiment=cambrian_8b"], "llama3_8b"),
        (["experiment=cambrian_8b", "llm=smollm2_360m"], "smollm2_360m"),
    ],
    ids=str,
)
def test_a_scale_prefers_an_llm_unless_another_is_named(words, llm):
    (ours,) = grid.expand(["scale=mini", *words])
    with initialize_config_dir(str(composition.CONF), version_base="1.3"):
        theirs = OmegaConf.to_container(hydra_compose("config", ["scale=mini", *words]))
    theirs.pop("at", None)
    assert ours == theirs
    assert ours["llm"]["name"] == llm


def test_what_the_command_line_says_beats_an_experiment():
    words = ["experiment=cambrian_34b", "scale=paper", "scale.tune.batch_size=256", "adapter=0M", "seed=1,2"]
    first, second = grid.expand(words)
    assert first["scale"]["tune"]["batch_size"] == 256
    assert first["scale"]["align"]["lr"]["connector"] == 1e-4
    assert first["adapter"]["name"] == "0M" and first["llm"]["name"] == "yi_34b"
    assert (first["seed"], second["seed"]) == (1, 2)


def test_points_do_not_share_what_was_overridden():
    first, second = grid.expand(["scale.tune.lr.llm=1.0e-3,5.0e-4"])
    assert first["scale"]["tune"]["lr"]["llm"] == 1.0e-3
    assert second["scale"]["tune"]["lr"]["llm"] == 5.0e-4
    assert first["scale"]["align"] is second["scale"]["align"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encoder=siglp"], "unknown encoder 'siglp'; did you mean 'siglip'?"),
        (["encoder=[siglip,dino]"], "unknown encoder 'dino'"),
        (["adaptor=1.2M"], "unknown configuration key 'adaptor'; did you mean 'adapter'?"),
        (["scale.tune.batchsize=8"], "unknown key in scale.tune 'batchsize'; did you mean 'batch_size'?"),
        (["seed=abc"], "seed expects a whole number (as in 0), got 'abc'"),
        (["scale.tune.lr.llm=fast"], "scale.tune.lr.llm expects a number"),
        (["+foo=1"], "keys are neither added nor deleted"),
        (["~seed"], "keys are neither added nor deleted"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_faults_name_the_fix(words, said):
    assert said in "\n".join(grid.check_overrides(words))


def test_all_faults_at_once():
    with pytest.raises(ConfigError) as raised:
        grid.expand(["encoder=siglp,dinov2", "seed=abc", "scale.tune.batchsize=8"])
    assert len(raised.value.faults) == 3


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_word_is_read_or_refused(word):
    try:
        faults = grid.check_overrides([f"seed={word}"])
    except ConfigError as error:
        faults = list(error.faults)
    assert all(isinstance(fault, str) and fault for fault in faults)


def test_sweep_file_gives_axes_and_the_command_line_wins():
    points = grid.expand_sweeps(["fig6"], ["sweep=fig6", "encoder=siglip,mae", "seed=0,1"])
    assert len(points) == 4
    assert {tuple(point["encoders"]) for point in points} == {("siglip",), ("mae",)}
    assert all(point["adapter"]["name"] == "1.2M" for point in points)


def test_unknown_sweep_lists_the_known():
    with pytest.raises(UserError, match="unknown sweep 'fig66'; did you mean 'fig6'"):
        grid.expand_sweeps(["fig66"], [])
