"""The absorbed projections equal the layer written out; windows and masks do what they should."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.connectors.oracle import plain_sampler
from cambrian.connectors.sampler import Sampler
from cambrian.connectors.windows import windows_of
from cambrian.reference.vectors import relative_error

torch.set_num_threads(1)


def make_sampler(windows, depth=1, width=8, heads=2, query_width=8, seed=0):
    torch.manual_seed(seed)
    sampler = Sampler(query_width=query_width, width=width, heads=heads, windows=windows, depth=depth)
    for parameter in sampler.parameters():  # norms start at 1 and 0, which would hide gains and biases
        parameter.data += 0.3 * torch.randn_like(parameter)
    return sampler.double()


def masks_for(shape):
    mask = torch.rand(shape) < 0.6
    return mask | ~mask.any(dim=-1, keepdim=True)


@settings(max_examples=25, deadline=None)
@given(
    windows=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    depth=st.integers(1, 2),
    query_width=st.sampled_from([8, 12]),
    batch=st.integers(1, 3),
    side=st.integers(1, 3),
    masked=st.booleans(),
    shared=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_absorbed_equals_written_out(windows, depth, query_width, batch, side, masked, shared, seed):
    sampler = make_sampler(windows, depth=depth, query_width=query_width, seed=seed)
    count = side * side
    tokens = [torch.randn(batch, count, m * m, 8, dtype=torch.float64, requires_grad=True) for m in windows]
    cut = [windows_of(grid, masks_for(grid.shape[:3]) if masked else None) for grid in tokens]
    context = torch.randn(batch, 8, dtype=torch.float64, requires_grad=True)
    queries = torch.randn(batch, 1 if shared else count, query_width, dtype=torch.float64, requires_grad=True)
    inputs = [*tokens, context, queries, *sampler.parameters()]
    ours = sampler(queries, context, cut)
    plain = plain_sampler(sampler, queries.expand(batch, count, -1), context, cut)
    assert relative_error(ours, plain) < 1e-9
    seed_gradient = torch.randn_like(plain)
    expected = torch.autograd.grad(plain, inputs, seed_gradient)
    largest = max(float(gradient.abs().max()) for gradient in expected)
    for mine, theirs in zip(torch.autograd.grad(ours, inputs, seed_gradient), expected, strict=True):
        assert relative_error(mine, theirs, floor=1e-3 * largest) < 1e-8


def test_queries_with_a_context_each_equal_the_batched_form():
    sampler = make_sampler([1, 2])
    tokens = [torch.randn(3, 4, keys, 8, dtype=torch.float64) for keys in (1, 4)]
    context = torch.randn(3, 8, dtype=torch.float64)
    queries = torch.randn(3, 4, 8, dtype=torch.float64)
    batched = sampler(queries, context, [windows_of(grid, None) for grid in tokens])
    flat = [windows_of(grid, None).flatten() for grid in tokens]
    image = torch.arange(3).repeat_interleave(4)
    lined_up = sampler(queries.flatten(0, 1)[None], context, flat, image)
    assert relative_error(lined_up[0], batched.flatten(0, 1)) < 1e-12


@pytest.mark.parametrize("index", [0, 1])
def test_masked_keys_have_no_influence(index):
    sampler = make_sampler([1, 2])
    tokens = [torch.randn(1, 4, keys, 8, dtype=torch.float64) for keys in (1, 4)]
    masks = [torch.ones(1, 4, keys, dtype=torch.bool) for keys in (1, 4)]
    masks[index][0, :, 0] = False
    queries, context = torch.randn(1, 4, 8, dtype=torch.float64), torch.randn(1, 8, dtype=torch.float64)
    before = sampler(queries, context, [windows_of(*pair) for pair in zip(tokens, masks, strict=True)])
    tokens[index] = tokens[index].clone()
    tokens[index][0, :, 0] += 5 * torch.randn(4, 8, dtype=torch.float64)
    after = sampler(queries, context, [windows_of(*pair) for pair in zip(tokens, masks, strict=True)])
    assert torch.equal(before, after)
    unmasked = [windows_of(grid, None) for grid in tokens]
    assert relative_error(sampler(queries, context, unmasked), after) > 1e-3


def test_float32_stays_close_when_tokens_have_a_large_mean():
    sampler = make_sampler([4], width=64, heads=4, query_width=64)
    tokens = torch.randn(1, 4, 16, 64, dtype=torch.float64) + 3.0
    queries, context = torch.randn(1, 4, 64, dtype=torch.float64), torch.randn(1, 64, dtype=torch.float64)
    exact = plain_sampler(sampler, queries, context, [windows_of(tokens, None)])
    single = sampler.float()(queries.float(), context.float(), [windows_of(tokens.float(), None)])
    assert relative_error(single, exact) < 1e-5
