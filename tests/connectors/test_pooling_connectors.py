"""C-Abstractor and LDPv2 against the same mathematics written out."""

import torch
import torch.nn.functional as F
from torch import nn

from cambrian.connectors.base import build_connector
from cambrian.connectors.c_abstractor import CAbstractorConnector
from cambrian.connectors.grids import join_channels, pool
from cambrian.connectors.ldpv2 import Ldpv2Connector

torch.set_num_threads(1)

C_ABSTRACTOR = {"kind": "c_abstractor", "side": 4, "width": 16, "depth": 2, "newline": False}
LDPV2 = {"kind": "ldpv2", "side": 4, "newline": False}
WIDTHS, GRIDS = (5, 7), (12, 8)


def build(recipe):
    torch.manual_seed(1)
    return build_connector(recipe, WIDTHS, GRIDS, 12, 4).double()


def features():
    torch.manual_seed(2)
    sizes = zip(GRIDS, WIDTHS, strict=True)
    # The resizing is done in float32: features that it holds exactly make no difference.
    return [torch.randn(2, grid, grid, width).double() for grid, width in sizes]


def cells(grid):
    """Mean of each cell of 3 x 3."""
    return grid.unflatten(2, (4, 3)).unflatten(1, (4, 3)).mean(dim=(2, 4))


def depth_wise(grid, weight):
    """Depth-wise 3x3 convolution of a grid (B, s, s, C) with zeros around it; weight is (C, 1, 3, 3)."""
    side, padded = grid.shape[1], F.pad(grid, (0, 0, 1, 1, 1, 1))
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return sum(padded[:, i : i + side, j : j + side] * weight[:, 0, i, j] for i, j in shifts)


def point_wise(grid, convolution):
    """1x1 convolution, with or without bias."""
    output = grid @ convolution.weight[:, :, 0, 0].T
    return output if convolution.bias is None else output + convolution.bias


def normalise(grid, norm):
    centred = grid - grid.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def plain_block(block, grid):
    state = F.silu(normalise(point_wise(grid, block.conv1.conv), block.conv1.bn))
    state = F.silu(normalise(depth_wise(state, block.conv2.conv.weight), block.conv2.bn))
    squeezed = F.silu(point_wise(state.mean(dim=(1, 2), keepdim=True), block.se.fc1))
    state = state * torch.sigmoid(point_wise(squeezed, block.se.fc2))
    state = normalise(point_wise(state, block.conv3.conv), block.conv3.bn)
    if isinstance(block.downsample, nn.Identity):
        return F.silu(state + grid)
    return F.silu(state + normalise(point_wise(grid, block.downsample.conv), block.downsample.bn))


def test_pooling_is_the_mean_of_each_cell():
    torch.manual_seed(0)
    grid = torch.randn(2, 7, 7, 3, dtype=torch.float64)
    pooled = pool(grid, 3)
    edges = [(0, 3), (2, 5), (4, 7)]  # floor(7i/3) to ceil(7(i+1)/3)
    for i, (top, bottom) in enumerate(edges):
        for j, (left, right) in enumerate(edges):
            assert torch.allclose(pooled[:, i, j], grid[:, top:bottom, left:right].mean(dim=(1, 2)))
    assert torch.equal(pool(grid, 7), grid)


def test_ldpv2_is_an_mlp_a_mean_and_peg():
    connector, grids = build(LDPV2), features()
    assert isinstance(connector, Ldpv2Connector)
    first, _, second = connector.projector
    hidden = F.gelu(join_channels(grids, 12) @ first.weight.T + first.bias)
    pooled = cells(hidden @ second.weight.T + second.bias)
    peg = connector.neighbours
    near = depth_wise(pooled, peg.weight) + peg.bias
    assert torch.allclose(connector(grids, None).tokens, pooled + near)
    nn.init.zeros_(peg.weight)
    nn.init.zeros_(peg.bias)
    assert torch.allclose(connector(grids, None).tokens, pooled)


def test_a_c_abstractor_is_blocks_a_mean_blocks_and_an_mlp():
    connector, grids = build(C_ABSTRACTOR), features()
    assert isinstance(connector, CAbstractorConnector)
    state = join_channels(grids, 12) + connector.positions
    for block in connector.before.children():
        state = plain_block(block, state)
    state = cells(state)
    for block in connector.after.children():
        state = plain_block(block, state)
    first, _, second = connector.projector
    tokens = F.silu(state @ first.weight.T + first.bias) @ second.weight.T + second.bias
    assert torch.allclose(connector(grids, None).tokens, tokens)
    assert len([*connector.before.children()]) == len([*connector.after.children()]) == 2


def test_coarse_grids_are_resized_to_the_finest():
    grids = features()
    joined = join_channels(grids, 12)
    assert joined.shape == (2, 12, 12, 12)
    assert torch.equal(joined[..., :5], grids[0])
    last = grids[1][:, 0, 0]  # a corner of a bilinear enlargement is the corner itself
    assert torch.equal(joined[:, 0, 0, 5:], last)
