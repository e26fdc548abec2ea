"""The Spatial Vision Aggregator's layer written out, every key and value projected.

Nothing in the product uses it: tests hold the fast form against it, perf/sva.py times it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.connectors.sampler import Sampler, SamplerLayer, WindowAttention
from cambrian.connectors.windows import Windows


def plain_sampler(sampler: Sampler, queries: Tensor, context: Tensor, windows: Sequence[Windows]) -> Tensor:
    """Do what `Sampler.forward` does with one query per window (B, N, query_width) and context (B, C)."""
    batch, count = queries.shape[:2]
    flat = queries.flatten(0, 1)[:, None]  # (B*N, 1, query_width)
    contexts = context.repeat_interleave(count, dim=0)[:, None]  # (B*N, 1, C)
    for layer in sampler.layers:
        assert isinstance(layer, SamplerLayer)
        flat = plain_layer(layer, flat, contexts, windows)
    return flat[:, 0].unflatten(0, (batch, count))


def plain_layer(layer: SamplerLayer, queries: Tensor, contexts: Tensor, windows: Sequence[Windows]) -> Tensor:
    """Do one layer on queries (B*N, 1, query_width) and contexts (B*N, 1, C)."""
    merged = layer.merge(torch.cat([queries, layer.context(contexts)], dim=-1))  # (B*N, 1, C)
    query = layer.query(layer.query_norm(merged))
    keys, values, masks = [], [], []
    for encoder, seen in zip(layer.encoders, windows, strict=True):
        assert isinstance(encoder, WindowAttention)
        tokens = seen.tokens.flatten(0, 1)  # (B*N, K, C)
        if encoder.position is not None:
            tokens = tokens + encoder.position
        keys.append(encoder.key(encoder.key_norm(tokens)))
        values.append(encoder.value(encoder.value_norm(tokens)))
        if seen.mask is not None:
            masks.append(seen.mask.flatten(0, 1))
    split = [
        part.unflatten(-1, (layer.heads, -1)).transpose(1, 2)  # (B*N, h, keys of all encoders, d)
        for part in (query, torch.cat(keys, dim=1), torch.cat(values, dim=1))
    ]
    assert len(masks) in (0, len(windows))
    mask = torch.cat(masks, dim=1)[:, None, None] if masks else None  # (B*N, 1, 1, keys)
    attended = F.scaled_dot_product_attention(*split, attn_mask=mask)  # (B*N, h, 1, d)
    attended = attended.transpose(1, 2).flatten(2)
    state = layer.norm(merged + layer.output(attended))
    return layer.out(F.gelu(layer.hidden(state))) + queries
