"""The Spatial Vision Aggregator's layers: each query attends to its window of every encoder's grid.

Used by the connector and by the layers inside the LLM. Written after section 3 of the Cambrian-1 paper and
the behaviour of its release; where they differ, the release.

One query looks at K = m*m keys, so projecting every key and value costs K times what is needed. For K > 1 the
projections are absorbed instead: with x^ the normalised key before LayerNorm's gain g and bias b,

    score  = q . W_K (g x^ + b)          = (W_K' g)^T q . x^ + q . W_K b
    output = W_V sum_j a_j (g x^_j + b)  = W_V g (sum_j a_j x^_j) + (sum_j a_j) W_V b

so queries go through W_K once per head, and W_V acts once on the mean of raw tokens. Neither x^ nor the
tokens plus position embedding are ever formed: centring is folded into the weights (their rows then sum to
zero), the division by the standard deviation into scores and attention weights.

Shapes: B images, N windows per image, K keys per window, C width, h heads, d = C / h, n queries per image: N,
or 1 when all windows of an image share one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.connectors.windows import Windows

EPSILON = 1e-5
"""Of every LayerNorm, PyTorch's default."""


class WindowAttention(nn.Module):
    """Keys and values of one encoder. The softmax runs over all encoders, so it is the layer's."""

    def __init__(self, width: int, heads: int, m: int) -> None:
        super().__init__()
        self.heads = heads
        self.key_norm = nn.LayerNorm(width, eps=EPSILON)
        self.key = nn.Linear(width, width, bias=False)
        self.value_norm = nn.LayerNorm(width, eps=EPSILON)
        self.value = nn.Linear(width, width, bias=False)
        self.position = nn.Parameter(torch.randn(m * m, width)) if m > 1 else None

    def inverse_deviation(self, windows: Windows) -> Tensor | None:
        """Give 1 / standard deviation of each key plus its position, (B, N, K); None when K is 1."""
        if self.position is None or windows.variance is None:
            return None
        centred = self.position - self.position.mean(dim=-1, keepdim=True)  # (K, C)
        # All pairs of key and embedding, then the matching ones: one product beats a pass over all tokens.
        covariance = F.linear(windows.tokens, centred).diagonal(dim1=-2, dim2=-1) / centred.shape[-1]
        variance = windows.variance + 2 * covariance + centred.square().mean(dim=-1)
        return (variance + EPSILON).rsqrt().to(windows.tokens.dtype)

    def scores(self, query: Tensor, windows: Windows, inverse: Tensor | None) -> Tensor:
        """Match queries (B, n, h, d) with keys: (B, N, h, K)."""
        if inverse is None:
            return self._direct_scores(query, windows)
        assert self.position is not None
        weight = _folded(self.key, self.key_norm)  # (C, C)
        per_head = query.flatten(0, 1).transpose(0, 1)  # (h, B*n, d)
        absorbed = torch.bmm(per_head, weight.unflatten(0, (self.heads, -1)))  # (h, B*n, C)
        matched = _match(absorbed, windows.tokens)  # (B, N, h, K)
        positions = F.linear(self.position, weight).unflatten(1, (self.heads, -1))  # (K, h, d)
        shift = torch.bmm(per_head, positions.permute(1, 2, 0))  # (h, B*n, K)
        shift = shift.transpose(0, 1).unflatten(0, query.shape[:2])  # (B, n, h, K)
        constant = query * self._bias(self.key, self.key_norm)  # (B, n, h, d)
        return (matched + shift) * inverse[:, :, None] + constant.sum(dim=-1, keepdim=True)

    def values(self, attention: Tensor, windows: Windows, inverse: Tensor | None) -> Tensor:
        """Sum the values with weights (B, N, h, K): (B, N, C)."""
        if inverse is None:
            value = self.value(self.value_norm(windows.tokens[:, :, 0]))  # (B, N, C)
            return (value.unflatten(-1, (self.heads, -1)) * attention).flatten(2)
        assert self.position is not None
        weight = _folded(self.value, self.value_norm).unflatten(0, (self.heads, -1))  # (h, d, C)
        weighted = (attention * inverse[:, :, None]).flatten(0, 1)  # (B*N, h, K)
        mean = torch.bmm(weighted, windows.tokens.flatten(0, 1))  # (B*N, h, C)
        output = torch.bmm(mean.transpose(0, 1), weight.transpose(1, 2))  # (h, B*N, d)
        positions = torch.matmul(self.position, weight.transpose(1, 2))  # (h, K, d)
        output = torch.baddbmm(output, weighted.transpose(0, 1), positions)  # (h, B*N, d)
        share = attention.sum(dim=-1, keepdim=True)  # (B, N, h, 1)
        constant = share * self._bias(self.value, self.value_norm)  # (B, N, h, d)
        return (output.transpose(0, 1).unflatten(0, attention.shape[:2]) + constant).flatten(2)

    def _direct_scores(self, query: Tensor, windows: Windows) -> Tensor:
        """Scores for windows of one key, where absorbing saves only if queries are shared."""
        tokens = self.key_norm(windows.tokens)  # (B, N, 1, C)
        if query.shape[1] == 1 < tokens.shape[1]:
            per_head = query.flatten(0, 1).transpose(0, 1)  # (h, B, d)
            absorbed = torch.bmm(per_head, self.key.weight.unflatten(0, (self.heads, -1)))  # (h, B, C)
            return _match(absorbed, tokens)
        key = self.key(tokens[:, :, 0]).unflatten(-1, (self.heads, -1))  # (B, N, h, d)
        return (query * key).sum(dim=-1, keepdim=True)

    def _bias(self, linear: nn.Linear, norm: nn.LayerNorm) -> Tensor:
        """What LayerNorm's bias adds behind a projection, (h, d)."""
        return (linear.weight @ norm.bias).unflatten(0, (self.heads, -1))


class SamplerLayer(nn.Module):
    """One round of attention from queries of width `query_width` to every encoder's windows."""

    def __init__(self, *, query_width: int, width: int, heads: int, windows: Sequence[int]) -> None:
        super().__init__()
        self.heads = heads
        self.context = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(query_width + width, width, bias=False)
        self.query_norm = nn.LayerNorm(width, eps=EPSILON)
        self.query = nn.Linear(width, width, bias=False)
        self.encoders = nn.ModuleList(WindowAttention(width, heads, m) for m in windows)
        self.output = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.hidden = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, query_width, bias=False)
        self.observer: Callable[[Sequence[Tensor]], None] | None = None
        """Told of every encoder's attention (B, N, h, K); it changes nothing."""

    def forward(
        self, queries: Tensor, context: Tensor, windows: Sequence[Windows], image: Tensor | None
    ) -> Tensor:
        """Update queries (B, n, query_width) to (B, N, query_width).

        `context` (B', C) belongs to image b of B = B' when `image` is None; else B = 1 and `image` (N,) names
        the row of each query.
        """
        merged = self._merge(queries, context, image)  # (B, n, C)
        query = self.query(self.query_norm(merged)) * (merged.shape[-1] // self.heads) ** -0.5
        attended = self._attend(query.unflatten(-1, (self.heads, -1)), windows)  # (B, N, C)
        state = self.norm(merged + self.output(attended))
        return self.out(F.gelu(self.hidden(state))) + queries

    def _merge(self, queries: Tensor, context: Tensor, image: Tensor | None) -> Tensor:
        """Project query and context together; the context's part once per image."""
        for_query, for_context = self.merge.weight.split(
            [queries.shape[-1], self.context.out_features], dim=1
        )
        fused = F.linear(self.context(context), for_context)  # (B', C)
        fused = fused[:, None] if image is None else fused[image][None]
        return F.linear(queries, for_query) + fused

    def _attend(self, query: Tensor, windows: Sequence[Windows]) -> Tensor:
        """Attend with one softmax over the keys of all encoders: (B, N, C) from queries (B, n, h, d)."""
        encoders = [encoder for encoder in self.encoders if isinstance(encoder, WindowAttention)]
        inverses = [encoder.inverse_deviation(seen) for encoder, seen in zip(encoders, windows, strict=True)]
        scores = [
            encoder.scores(query, seen, inverse)
            for encoder, seen, inverse in zip(encoders, windows, inverses, strict=True)
        ]
        joint = torch.cat([_masked(*pair) for pair in zip(scores, windows, strict=True)], dim=-1)
        shares = joint.softmax(dim=-1).split([score.shape[-1] for score in scores], dim=-1)
        if self.observer is not None:
            self.observer(shares)
        parts = [
            encoder.values(share, seen, inverse)
            for encoder, share, seen, inverse in zip(encoders, shares, windows, inverses, strict=True)
        ]
        return torch.stack(parts).sum(dim=0)


class Sampler(nn.Module):
    """`depth` layers, each with its own weights, all looking at the same context and windows."""

    def __init__(
        self, *, query_width: int, width: int, heads: int, windows: Sequence[int], depth: int
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            SamplerLayer(query_width=query_width, width=width, heads=heads, windows=windows)
            for _ in range(depth)
        )

    def forward(
        self, queries: Tensor, context: Tensor, windows: Sequence[Windows], image: Tensor | None = None
    ) -> Tensor:
        """See `SamplerLayer.forward`."""
        for layer in self.layers:
            queries = layer(queries, context, windows, image)
        return queries


def _match(absorbed: Tensor, tokens: Tensor) -> Tensor:
    """Dot absorbed queries (h, B*n, C) with tokens (B, N, K, C): (B, N, h, K)."""
    batch, count, keys, _ = tokens.shape
    if absorbed.shape[1] == batch < batch * count:  # one query per image, a single large product
        matched = torch.bmm(tokens.flatten(1, 2), absorbed.permute(1, 2, 0))  # (B, N*K, h)
        return matched.unflatten(1, (count, keys)).transpose(2, 3)
    matched = torch.bmm(absorbed.transpose(0, 1), tokens.flatten(0, 1).transpose(1, 2))  # (B*N, h, K)
    return matched.unflatten(0, (batch, count))


def _folded(linear: nn.Linear, norm: nn.LayerNorm) -> Tensor:
    """Give the weight with LayerNorm's gain and centring folded in: it acts on raw tokens."""
    weight = linear.weight * norm.weight
    return weight - weight.mean(dim=1, keepdim=True)


def _masked(scores: Tensor, windows: Windows) -> Tensor:
    """Rule masked keys out of scores (B, N, h, K)."""
    return scores if windows.mask is None else scores.masked_fill(~windows.mask[:, :, None], -torch.inf)
