from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_multimodal import CONCAT, SVA, Assemble
from torch import nn

from cambrian.errors import UserError
from cambrian.model.assembly import load_connector, load_trained, save_trained
from cambrian.model.freezing import freeze


def disturb(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(0.125)


def same(one: nn.Module, other: nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_the_connector_is_drawn_from_the_seed(make_model: Assemble) -> None:
    torch.rand(3)
    state = torch.get_rng_state()
    one, two, other = make_model(seed=1), make_model(seed=1), make_model(seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert same(one.connector, two.connector)
    assert not same(one.connector, other.connector)


def test_an_aligned_connector_goes_into_another_model(make_model: Assemble, tmp_path: Path) -> None:
    aligned, tuned = make_model(seed=1), make_model(seed=2)
    freeze(aligned, stage="align", vision="frozen")
    disturb(aligned)
    save_trained(aligned, tmp_path)
    assert files(tmp_path) == {"model.json", "connector.safetensors"}
    load_connector(tuned, tmp_path)
    assert same(tuned.connector, aligned.connector)


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
@pytest.mark.parametrize(
    ("vision", "blocks"), [("frozen", None), ("unfrozen", None), ("unfrozen", 1)], ids=str
)
def test_a_tuned_model_comes_back_whole(
    make_model: Assemble, parts: Path, tmp_path: Path, recipe: dict[str, Any], vision: Any, blocks: int | None
) -> None:
    model = make_model(recipe)
    freeze(model, stage="tune", vision=vision, blocks=blocks)
    disturb(model)
    save_trained(model, tmp_path)
    assert ("encoder.1/model.safetensors" in files(tmp_path)) == (vision == "unfrozen")
    assert "language/grid_positions.safetensors" in files(tmp_path)
    loaded = load_trained(tmp_path, encoder_dirs=[parts / "vit", parts / "convnet"])
    assert same(loaded, model)
    assert not loaded.training
    assert loaded.chat.template == model.chat.template


def test_another_connector_is_refused(make_model: Assemble, tmp_path: Path) -> None:
    model = make_model(CONCAT)
    freeze(model, stage="align", vision="frozen")
    save_trained(model, tmp_path)
    with pytest.raises(UserError, match="holds the connector"):
        load_connector(make_model(SVA), tmp_path)


def test_missing_parts_are_named(make_model: Assemble, parts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trained model: model\.json is missing"):
        load_trained(tmp_path, encoder_dirs=[])
    model = make_model(CONCAT)
    freeze(model, stage="align", vision="frozen")
    save_trained(model, tmp_path)
    eyes = [parts / "vit", parts / "convnet"]
    with pytest.raises(UserError, match="holds no LLM"):
        load_trained(tmp_path, encoder_dirs=eyes)
    with pytest.raises(UserError, match="Hugging Face's format"):
        load_trained(tmp_path, encoder_dirs=eyes, language_dir=tmp_path)
    assert same(load_trained(tmp_path, encoder_dirs=eyes, language_dir=parts / "language"), model)


def test_a_grid_that_the_llm_has_not_learned_is_refused(make_model: Assemble) -> None:
    with pytest.raises(UserError, match="choose one that divides it"):
        make_model({**CONCAT, "side": 8})


@pytest.mark.parametrize("side", [1, 2])
def test_a_coarser_grid_takes_the_mean_places_of_what_it_covers(make_model: Assemble, side: int) -> None:
    model = make_model({**CONCAT, "side": side})
    positions = model.grid_positions
    assert positions is not None
    zeros = torch.zeros(1, side, side, positions.rows.embedding_dim)
    rows, columns = (
        table.weight.unflatten(0, (side, -1)).mean(1) for table in (positions.rows, positions.columns)
    )
    torch.testing.assert_close(positions(zeros)[0], rows[:, None] + columns)
