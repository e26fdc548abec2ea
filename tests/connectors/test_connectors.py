import subprocess
import sys

import pytest
import torch

from cambrian.connectors.base import build_connector
from cambrian.connectors.table import check_connector
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
WIDTHS, GRIDS = (5, 7), (8, 16)


def features(batch, seed=0):
    torch.manual_seed(seed)
    return [torch.randn(batch, grid, grid, width) for grid, width in zip(GRIDS, WIDTHS, strict=True)]


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
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


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
def test_every_weight_gets_a_gradient(recipe):
    torch.manual_seed(1)
    connector = build_connector(recipe, WIDTHS, GRIDS, 12, 4)
    connector(features(2), None).tokens.square().sum().backward()
    idle = {name for name, parameter in connector.named_parameters() if parameter.grad is None}
    assert {name.split(".")[0] for name in idle} <= {"newline", "aggregation"}


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
        ({"side": 4}, ["kind", "concat, sva"]),
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
    ],
)
def test_faults_name_what_is_wrong(recipe, words):
    faults = check_connector(recipe, {"siglip": 8, "convnext": 16}, 4)
    assert faults
    for word in words:
        assert word in " ".join(faults)


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
def test_a_good_recipe_has_no_faults(recipe):
    assert check_connector(recipe, {"siglip": 8, "convnext": 16}, 4) == []


def test_building_a_faulty_recipe_lists_the_faults():
    with pytest.raises(ConfigError, match="2 faults"):
        build_connector({**SVA, "depth": 0, "newline": 1}, WIDTHS, GRIDS, 12, 4)


def test_the_table_does_not_import_torch():
    code = "import sys, cambrian.connectors.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
