"""The shares of SVA's attention that encoders get, against the softmax written out."""

from __future__ import annotations

import pytest
import torch
from test_sampler import make_sampler

from cambrian.connectors.attention_share import watch_attention
from cambrian.connectors.sampler import WindowAttention
from cambrian.connectors.windows import windows_of


def seen(windows: list[int], batch: int = 2, count: int = 4):
    torch.manual_seed(1)
    tokens = [torch.randn(batch, count, m * m, 8, dtype=torch.float64) for m in windows]
    queries = torch.randn(batch, count, 8, dtype=torch.float64)
    context = torch.randn(batch, 8, dtype=torch.float64)
    return queries, context, [windows_of(grid, None) for grid in tokens]


def test_shares_are_those_of_the_softmax_written_out():
    sampler = make_sampler([1, 2])
    queries, context, windows = seen([1, 2])
    (layer,) = sampler.layers
    merged = layer._merge(queries, context, None)
    query = (layer.query(layer.query_norm(merged)) * 4**-0.5).unflatten(-1, (2, 4))  # 2 heads of 4
    scores = []
    for encoder, window in zip(layer.encoders, windows, strict=True):
        assert isinstance(encoder, WindowAttention)
        tokens = window.tokens if encoder.position is None else window.tokens + encoder.position
        keys = encoder.key(encoder.key_norm(tokens)).unflatten(-1, (2, 4))  # (B, N, K, h, d)
        scores.append(torch.einsum("bnhd,bnkhd->bnhk", query, keys))
    attention = torch.cat(scores, dim=-1).softmax(dim=-1)
    wanted = [attention[..., keys].sum(-1).mean().item() for keys in (slice(1), slice(1, None))]
    with watch_attention(sampler) as meter:
        sampler(queries, context, windows)
    assert meter.shares() == pytest.approx(wanted, rel=1e-9)
    assert sum(meter.shares()) == pytest.approx(1)


def test_watching_changes_nothing_and_ends():
    sampler = make_sampler([1, 2], depth=3)
    inputs = seen([1, 2])
    before = sampler(*inputs)
    with watch_attention(sampler) as meter:
        assert torch.equal(sampler(*inputs), before)
    shares = meter.shares()
    sampler(*seen([1, 2], batch=1))
    assert meter.shares() == shares, "what is done afterwards does not count"
    assert all(layer.observer is None for layer in sampler.layers)


def test_an_encoder_that_is_all_there_is_gets_everything():
    sampler = make_sampler([2])
    with watch_attention(sampler) as meter:
        sampler(*seen([2]))
    assert meter.shares() == [1.0]


def test_a_connector_that_is_no_sva_has_no_shares():
    with watch_attention(torch.nn.Linear(2, 2)) as meter:
        pass
    with pytest.raises(ValueError, match="no attention was seen"):
        meter.shares()
