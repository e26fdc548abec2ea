"""The paper's 23 encoders at full size, without memory, from their configuration files."""

from __future__ import annotations

import csv
from typing import Any

import pytest
import torch

from analysis.published import NAMES
from cambrian.config import read_study
from cambrian.encoders.table import build_encoder
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.recipe import Encoder
from cambrian.runtime import PROJECT
from cambrian.sweep.encoder_shapes import block_count
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import encoder_stage
from cambrian.sweep.shapes import ENCODERS

CATALOG = PROJECT / "analysis" / "paper" / "encoders.csv"

NATIVE = {"convnext_l_512": 16, "convnext_l": 32, "convnext": 32, "dinov2_518": 37, "sam": 64, "sam_h": 64}
"""Sides of the networks' own grids where the paper interpolates."""
DEVIATIONS = {
    # The paper prints the width of CLIP's projection; the features are the layer before, 1,024 wide.
    ("clip", "hidden_size"): 1024,
    # MiDaS 3.1's ViT-L is published for 512 pixels, which gives the 1,024 tokens that the paper prints.
    ("midas_518", "resolution"): 512,
}
CLIP, IMAGENET, HALF = (122, 116, 104), (123, 116, 103), (127, 127, 127)
PADDING = {
    **dict.fromkeys(["clip", "dfn_clip_l", "dfn_clip_h", "eva_clip"], CLIP),
    **dict.fromkeys(["convnext_l_512", "convnext_l", "convnext"], CLIP),
    **dict.fromkeys(["dinov2", "dinov2_518", "moco_v3_b", "moco_v3_l", "mae", "mae_h", "ijepa"], IMAGENET),
    **dict.fromkeys(["sam", "sam_h"], IMAGENET),
    **dict.fromkeys(["siglip_l", "siglip", "midas", "midas_518", "diffusion", "supvit_l", "supvit_h"], HALF),
}


def _rows() -> dict[str, dict[str, str]]:
    with CATALOG.open() as file:
        return {NAMES[f"{row['model']} {row['architecture']}"]: row for row in csv.DictReader(file)}


ROWS = _rows()


def _recipes() -> dict[str, Encoder]:
    study = read_study(expand([f"encoder={','.join(NAMES.values())}", "scale=paper"]))
    return {recipe.encoders[0].name: recipe.encoders[0] for recipe in study.recipes}


RECIPES = _recipes()


def _build(name: str) -> TrunkEncoder:
    if name == "diffusion":
        pytest.importorskip("diffusers")
    architecture: Any = encoder_stage(RECIPES[name], {}).recipe["architecture"]
    with torch.device("meta"):
        encoder = build_encoder(architecture)
    assert isinstance(encoder, TrunkEncoder)
    return encoder.eval().to("meta")


def test_the_catalog_and_the_configurations_are_the_same() -> None:
    assert len(ROWS) == 23
    assert set(ROWS) == set(RECIPES) == set(ENCODERS)
    assert all(RECIPES[name].supervision == row["supervision"] for name, row in ROWS.items())


@pytest.mark.parametrize("name", NAMES.values())
def test_tokens_and_width_are_those_of_the_paper_and_interpolated_where_it_says(name: str) -> None:
    row, shape = ROWS[name], ENCODERS[name]
    encoder = _build(name)
    resolution = DEVIATIONS.get((name, "resolution"), int(row["resolution"]))
    width = DEVIATIONS.get((name, "hidden_size"), int(row["hidden_size"]))
    maps: list[int] = []
    inner = encoder.maps
    encoder.maps = lambda pixels: _noting(maps, inner(pixels))
    features = encoder(torch.empty(2, resolution, resolution, 3, dtype=torch.uint8, device="meta"))
    assert features.shape == (2, encoder.grid, encoder.grid, width)
    assert encoder.grid**2 == int(row["visual_tokens"]) == shape.visual_tokens
    assert encoder.padding == PADDING[name]
    assert len(encoder.block_groups()) == block_count(RECIPES[name])
    # Pooling and what lies behind the chosen layer are left out here and counted in the table of prices.
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    assert parameters == pytest.approx(shape.parameters, rel=0.045)
    if name == "diffusion":
        assert maps == [16, 32, 64, 64]  # joined at 32, as in the released code
    else:
        assert maps == [NATIVE.get(name, encoder.grid)]
        assert (name in NATIVE) == (row["interpolated"] == "1")


def _noting(sides: list[int], maps: list[torch.Tensor]) -> list[torch.Tensor]:
    sides += [each.shape[-1] for each in maps]
    return maps


@pytest.mark.parametrize(("name", "width"), [("convnext_l", 2880), ("convnext", 5760)])
def test_convnext_joins_its_stages_when_asked(name: str, width: int) -> None:
    word = f"encoders.{name}.paper.architecture.multi_stage=true"
    (recipe,) = read_study(expand([f"encoder={name}", "scale=paper", word])).recipes
    architecture: Any = encoder_stage(recipe.encoders[0], {}).recipe["architecture"]
    with torch.device("meta"):
        encoder = build_encoder(architecture).eval()
    features = encoder(torch.empty(1, 1024, 1024, 3, dtype=torch.uint8, device="meta"))
    assert features.shape == (1, 24, 24, width) and encoder.width == width


def test_clip_and_dfn_have_the_activation_they_were_trained_with() -> None:
    for name in ("clip", "dfn_clip_l", "dfn_clip_h"):
        kinds = {type(module).__name__ for module in _build(name).modules()}
        assert "QuickGELU" in kinds and "GELU" not in kinds
