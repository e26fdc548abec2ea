import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cambrian.connectors.base import build_connector
from cambrian.connectors.resampler import ResamplerConnector, ResamplerLayer
from cambrian.connectors.table import visual_positions

torch.set_num_threads(1)

RECIPE = {"kind": "resampler", "side": 4, "width": 16, "heads": 2, "depth": 2, "newline": False}
WIDTHS, GRIDS = (5, 7), (8, 12)


@pytest.fixture
def connector():
    torch.manual_seed(1)
    built = build_connector(RECIPE, WIDTHS, GRIDS, 12, 4).double()
    assert isinstance(built, ResamplerConnector)
    return built


@pytest.fixture
def grids():
    torch.manual_seed(2)
    sizes = zip(GRIDS, WIDTHS, strict=True)
    return [torch.randn(2, grid, grid, width, dtype=torch.float64) for grid, width in sizes]


def test_places_are_known_by_the_embeddings_alone(connector, grids):
    torch.manual_seed(3)
    shuffled = [
        grid.flatten(1, 2)[:, torch.randperm(grid.shape[1] ** 2)].unflatten(1, grid.shape[1:3])
        for grid in grids
    ]
    assert not torch.allclose(connector(grids, None).tokens, connector(shuffled, None).tokens)
    for positions in connector.positions:
        nn.init.zeros_(positions)
    assert torch.allclose(connector(grids, None).tokens, connector(shuffled, None).tokens)


def test_each_query_is_a_token_of_its_own(connector, grids):
    before = connector(grids, None).tokens.flatten(1, 2)
    order = torch.randperm(16)
    connector.query.data = connector.query.data[order]
    assert torch.allclose(connector(grids, None).tokens.flatten(1, 2), before[:, order])


def test_all_tokens_are_kept_and_the_border_is_hidden(connector, grids):
    sizes = torch.tensor([[40, 40], [80, 40]])
    visual = connector(grids, sizes)
    assert visual.keep is None and visual.keep_rows is None
    assert visual_positions(RECIPE, (80, 40)) == visual_positions(RECIPE) == 16
    for grid in grids:  # the border of the second image, above and below
        side = grid.shape[1]
        grid[1, : side // 4] += 9
        grid[1, side - side // 4 :] += 9
    assert torch.equal(connector(grids, sizes).tokens, visual.tokens)
    grids[1][1, 3] += 9  # the first row of the image itself
    assert not torch.allclose(connector(grids, sizes).tokens[1], visual.tokens[1])


def test_square_images_and_images_that_are_all_border_are_seen_whole(connector, grids):
    whole = connector(grids, None).tokens
    assert torch.allclose(connector(grids, torch.tensor([[9, 9], [1000, 1]])).tokens, whole)


def test_a_layer_is_attention_and_feed_forward_written_out():
    torch.manual_seed(1)
    layer = ResamplerLayer(6, 2).double()
    queries, tokens = torch.randn(1, 3, 6, dtype=torch.float64), torch.randn(1, 5, 6, dtype=torch.float64)
    normed = layer.query_norm(queries)[0]
    memory = torch.cat([layer.token_norm(tokens)[0], normed])
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        query, key, value = (
            source @ linear.weight[head].T
            for source, linear in ((normed, layer.query), (memory, layer.key), (memory, layer.value))
        )
        heads.append((query @ key.T / 3**0.5).softmax(dim=-1) @ value)
    state = queries[0] + torch.cat(heads, dim=-1) @ layer.output.weight.T
    expanded = F.gelu(layer.hidden_norm(state) @ layer.hidden.weight.T)
    assert torch.allclose(layer(queries, tokens, None)[0], state + expanded @ layer.out.weight.T)
