import subprocess
import sys

import pytest
import torch

from cambrian.connectors.base import build_connector
from cambrian.connectors.table import check_connector, visual_positions
from cambrian.errors import ConfigError

torch.set_num_threads(1)

CONCAT = {"kind": "concat", "side": 4, "layers": 2, "newline": False}
SVA = {
    "kind": "sva",
    "side": 4,
    "width": 16,
    "heads": 2,
    "depth": 2,
    "groups": [4, 2],
    "newline": True,
    "aggregation": {"start": 0, "stride": 2, "layers": 2},
}
RESAMPLER = {"kind": "resampler", "side": 4, "width": 16, "heads": 2, "depth": 2, "newline": False}
C_ABSTRACTOR = {"kind": "c_abstractor", "side": 4, "width": 16, "depth": 2, "newline": False}
LDPV2 = {"kind": "ldpv2", "side": 4, "newline": False}
RECIPES = (CONCAT, SVA, RESAMPLER, C_ABSTRACTOR, LDPV2)
KINDS = [recipe["kind"] for recipe in RECIPES]
WIDTHS, GRIDS = (5, 7), (8, 16)


def features(batch, seed=0, encoders=2):
    torch.manual_seed(seed)
    sizes = zip(GRIDS[:encoders], WIDTHS[:encoders], strict=True)
    return [torch.randn(batch, grid, grid, width) for grid, width in sizes]


@pytest.mark.parametrize("recipe", RECIPES, ids=KINDS)
@pytest.mark.parametrize("encoders", [1, 2])
@pytest.mark.parametrize(("side", "newline"), [(1, False), (2, True), (8, False)])
def test_any_side_comes_out_of_one_encoder_or_two(recipe, encoders, side, newline):
    sized = {**recipe, "side": side, "newline": newline} | ({"groups": [side]} if "groups" in recipe else {})
    connector = build_connector(sized, WIDTHS[:encoders], GRIDS[:encoders], 12, 4)
    visual = connector(features(3, encoders=encoders), None)
    assert visual.tokens.shape == (3, side, side, 12)
    assert visual.keep is None and visual.keep_rows is None
    assert (connector.newline is not None) == newline


@pytest.mark.parametrize("recipe", RECIPES, ids=KINDS)
@pytest.mark.parametrize("sizes", [None, [[40, 40], [80, 40], [30, 90]]], ids=["square", "padded"])
def test_an_image_does_not_depend_on_its_neighbours(recipe, sizes):
    torch.manual_seed(1)
    connector = build_connector(recipe, WIDTHS, GRIDS, 12, 4)
    grids = features(3)
    image_sizes = None if sizes is None else torch.tensor(sizes)
    together = connector(grids, image_sizes)
    assert together.tokens.shape == (3, 4, 4, 12)
    for index in range(3):
        part = slice(index, index + 1)
        alone = connector([grid[part] for grid in grids], None if sizes is None else image_sizes[part])
        assert torch.allclose(together.tokens[part], alone.tokens, atol=1e-5)


@pytest.mark.parametrize("recipe", RECIPES, ids=KINDS)
def test_every_weight_and_every_feature_gets_a_gradient(recipe):
    torch.manual_seed(1)
    connector = build_connector(recipe, WIDTHS, GRIDS, 12, 4)
    grids = [grid.requires_grad_() for grid in features(2)]
    connector(grids, None).tokens.square().sum().backward()
    idle = {
        name
        for name, parameter in connector.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    assert {name.split(".")[0] for name in idle} <= {"newline", "aggregation"}
    for grid in grids:
        seen = grid.grad.any(dim=-1)
        # Bilinear without antialiasing: from 16 to 4 concat reads 2 x 2 of each 4 x 4 features.
        assert seen.float().mean() == (0.25 if recipe is CONCAT and grid.shape[1] == 16 else 1)


@pytest.mark.parametrize("recipe", [CONCAT, C_ABSTRACTOR, LDPV2], ids=["concat", "c_abstractor", "ldpv2"])
def test_the_border_is_cut_off_where_tokens_have_places(recipe):
    visual = build_connector(recipe, WIDTHS, GRIDS, 12, 4)(features(2), torch.tensor([[40, 40], [80, 40]]))
    assert visual.keep is not None and visual.keep_rows is not None
    assert visual.keep.sum(dim=(1, 2)).tolist() == [16, 8]
    assert visual.keep_rows.tolist() == [[True] * 4, [False, True, True, False]]
    assert visual_positions(recipe, (80, 40)) == 8


def test_square_sizes_equal_no_sizes():
    torch.manual_seed(1)
    connector = build_connector(SVA, WIDTHS, GRIDS, 12, 4)
    grids = features(2)
    named = connector(grids, torch.tensor([[64, 64], [9, 9]]))
    assert torch.equal(named.tokens, connector(grids, None).tokens)
    assert named.keep is not None and bool(named.keep.all())


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"side": 4}, ["kind", "concat, ldpv2, resampler, sva"]),
        ({**SVA, "kind": "svaa"}, ["'svaa'", "did you mean 'sva'"]),
        ({**SVA, "side": 5, "groups": [4]}, ["divisible", "5", "8x8", "siglip", "resolution"]),
        ({**SVA, "groups": [3]}, ["16x16", "convnext", "3", "[1, 2, 4, 8, 16]"]),
        ({**SVA, "groups": []}, ["groups"]),
        ({**SVA, "heads": 3}, ["width=16", "heads=3"]),
        ({**SVA, "depth": 0}, ["depth", "at least 1"]),
        ({**SVA, "newline": "yes"}, ["newline", "true or false"]),
        ({**SVA, "aggregation": {"start": 0, "stride": 3, "layers": 3}}, ["layer 6", "0 to 3"]),
        (
            {**SVA, "aggregation": {"start": 0, "strde": 3, "layers": 3}},
            ["did you mean 'stride'", "lacks 'stride'"],
        ),
        ({**CONCAT, "layers": "two"}, ["layers", "'two'"]),
        ({**CONCAT, "heads": 2}, ["heads"]),
        ({**RESAMPLER, "heads": 3}, ["width=16", "heads=3"]),
        ({**RESAMPLER, "side": 0, "depth": "3", "heads": 3}, ["connector.side", "got '3'", "heads=3"]),
        ({**RESAMPLER, "groups": [4]}, ["unknown key of connector 'resampler' 'groups'"]),
        ({**C_ABSTRACTOR, "side": 17}, ["c_abstractor", "16x16 (convnext)", "17x17", "at most 16"]),
        ({**C_ABSTRACTOR, "side": 17, "width": True, "depth": 0}, ["17x17", "got True", "got 0"]),
        ({**LDPV2, "side": 24, "newline": 1}, ["at most 16", "connector.newline must be true or false"]),
        ({**LDPV2, "side": 2.0}, ["connector.side must be a whole number", "got 2.0"]),
        ({**LDPV2, "kind": "ldpv3"}, ["did you mean 'ldpv2'"]),
    ],
)
def test_faults_name_what_is_wrong(recipe, words):
    faults = check_connector(recipe, {"siglip": 8, "convnext": 16}, 4)
    assert faults
    for word in words:
        assert word in " ".join(faults)


@pytest.mark.parametrize("recipe", RECIPES, ids=KINDS)
def test_a_good_recipe_has_no_faults(recipe):
    assert check_connector(recipe, {"siglip": 8, "convnext": 16}, 4) == []


@pytest.mark.parametrize("recipe", [C_ABSTRACTOR, LDPV2], ids=["c_abstractor", "ldpv2"])
@pytest.mark.parametrize("side", [1, 5, 16])
def test_pooling_takes_any_side_up_to_that_of_the_finest_grid(recipe, side):
    assert check_connector({**recipe, "side": side}, {"siglip": 8, "convnext": 16}, 4) == []
    connector = build_connector({**recipe, "side": side}, WIDTHS, GRIDS, 12, 4)
    assert connector(features(1), None).tokens.shape == (1, side, side, 12)


def test_a_resampler_may_have_more_queries_than_tokens():
    assert check_connector({**RESAMPLER, "side": 20}, {"siglip": 8}, 4) == []


def test_building_a_faulty_recipe_lists_the_faults():
    with pytest.raises(ConfigError, match="2 faults"):
        build_connector({**SVA, "depth": 0, "newline": 1}, WIDTHS, GRIDS, 12, 4)


def test_the_table_does_not_import_torch():
    code = "import sys, cambrian.connectors.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
