from __future__ import annotations

import logging

import pytest
from tiny_multimodal import CONCAT, Assemble

from cambrian.errors import UserError
from cambrian.model.freezing import freeze, parameter_groups


def test_each_part_learns_at_its_own_rate(make_model: Assemble) -> None:
    model = make_model()
    freeze(model, stage="tune", vision="unfrozen")
    rates = {"connector": 1.0, "sva": 2.0, "llm": 3.0, "vision": 4.0}
    rate = {
        id(parameter): (group.name, group.lr, group.weight_decay)
        for group in parameter_groups(model, rates, 0.1)
        for parameter in group.parameters
    }
    names = dict(model.named_parameters())
    assert rate.keys() == {id(parameter) for parameter in names.values()}
    expected = {
        "connector.query": ("sva", 2.0, 0.1),
        "connector.samplers.0.layers.1.merge.weight": ("sva", 2.0, 0.1),
        "connector.samplers.0.layers.1.norm.weight": ("sva", 2.0, 0.0),
        "connector.aggregation.samplers.1.layers.0.out.weight": ("sva", 2.0, 0.1),
        "connector.auxiliary.0.0.weight": ("connector", 1.0, 0.1),
        "connector.projector.2.bias": ("connector", 1.0, 0.0),
        "connector.newline": ("connector", 1.0, 0.0),
        "llm.model.layers.2.mlp.up_proj.weight": ("llm", 3.0, 0.1),
        "grid_positions.rows.weight": ("llm", 3.0, 0.1),
        "encoders.1.stem.weight": ("vision", 4.0, 0.1),
    }
    assert {name: rate[id(names[name])] for name in expected} == expected


def test_only_what_trains_is_in_a_group(make_model: Assemble) -> None:
    model = make_model()
    freeze(model, stage="align", vision="frozen")
    groups = parameter_groups(model, {"connector": 1.0, "sva": 1.0}, 0.0)
    members = {id(parameter) for group in groups for parameter in group.parameters}
    assert members == {id(parameter) for parameter in model.connector.parameters()}


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"connector": 1.0, "llm": 1.0}, "'sva' is to be trained but has no learning rate; set lr.sva"),
        ({"conector": 1.0}, "unknown learning rate 'conector'; did you mean 'connector'"),
    ],
)
def test_rates_that_do_not_fit(make_model: Assemble, rates: dict[str, float], message: str) -> None:
    model = make_model()
    freeze(model, stage="tune", vision="frozen")
    with pytest.raises(UserError, match=message):
        parameter_groups(model, rates, 0.0)


def test_an_encoder_without_weights_cannot_be_unfrozen(make_model: Assemble) -> None:
    model = make_model(CONCAT, encoders=("vit", "pixels"))
    with pytest.raises(UserError, match=r"encoder 1 \('pixels'\) has no weights"):
        freeze(model, stage="tune", vision="unfrozen")
    freeze(model, stage="tune", vision="frozen")


def test_the_last_blocks_alone_are_in_the_group(make_model: Assemble) -> None:
    model = make_model()
    freeze(model, stage="tune", vision="unfrozen", blocks=1)
    rates = {"connector": 1.0, "sva": 2.0, "llm": 3.0, "vision": 4.0}
    groups = parameter_groups(model, rates, 0.0)
    members = {id(parameter) for group in groups if group.name == "vision" for parameter in group.parameters}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in members}
    beginnings = ("encoders.0.blocks.0.", "encoders.0.norm.", "encoders.1.late.0.", "encoders.1.norm.")
    assert names == {name for name, _ in model.named_parameters() if name.startswith(beginnings)}


@pytest.mark.parametrize(("blocks", "said"), [(2, "encoder 0 ('vit') has 1 blocks"), (0, "has 1 blocks")])
def test_more_blocks_than_there_are_cannot_be_unfrozen(make_model: Assemble, blocks: int, said: str) -> None:
    with pytest.raises(UserError) as raised:
        freeze(make_model(), stage="tune", vision="unfrozen", blocks=blocks)
    assert f"vision.blocks={blocks}" in str(raised.value) and said in str(raised.value)


def test_what_trains_in_part_is_logged_so(make_model: Assemble, caplog: pytest.LogCaptureFixture) -> None:
    model = make_model(CONCAT, encoders=("convnet",))
    with caplog.at_level(logging.INFO):
        freeze(model, stage="tune", vision="unfrozen", blocks=1)
    lines = [line.split(":")[0] for line in caplog.messages]
    assert [line for line in lines if "encoder 0" in line] == [
        "frozen  encoder 0.stem",
        "frozen  encoder 0.early",
        "frozen  encoder 0.down",
        "trained encoder 0.late",
        "trained encoder 0.norm",
    ]


def test_what_trains_is_logged_module_by_module(
    make_model: Assemble, caplog: pytest.LogCaptureFixture
) -> None:
    model = make_model()
    with caplog.at_level(logging.INFO):
        freeze(model, stage="align", vision="frozen")
    lines = {line.split(":")[0]: line for line in caplog.messages}
    inner = sum(p.numel() for p in model.connector.get_submodule("aggregation").parameters())
    assert lines["trained connector.aggregation"].endswith(f": {inner:,} parameters")
    assert "frozen  llm.model" in lines
    assert "frozen  encoder 1.stem" in lines
    assert "trained connector" in lines  # its own: queries and newline
