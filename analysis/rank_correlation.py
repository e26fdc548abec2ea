"""How alike two orders are: Spearman's rho and Kendall's tau-b, for many pairs of orders at once.

Spearman: the correlation of the ranks, equal values sharing the mean of their ranks.

Kendall's tau-b, with S = sum over pairs i < j of sign(x_i - x_j) * sign(y_i - y_j):

    tau_b = S / sqrt((pairs not tied in x) * (pairs not tied in y))

Both are 1 for equal orders, -1 for opposite ones, and nothing (NaN) if all values of one side are equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def spearman(left: Values, right: Values) -> Values:
    """Spearman's rho over the last axis of two arrays (..., n); shape (...)."""
    return _cosine(_centred_ranks(left), _centred_ranks(right))


def kendall(left: Values, right: Values) -> Values:
    """Kendall's tau-b over the last axis of two arrays (..., n); shape (...)."""
    pairs = (*left.shape[:-1], -1)
    return _cosine(_signs(left).reshape(pairs), _signs(right).reshape(pairs))


def _centred_ranks(values: Values) -> Values:
    """Ranks less their mean: half of how many are below, less how many are above."""
    return _signs(values).sum(axis=-1) / 2


def _signs(values: Values) -> Values:
    """Sign of every difference, (..., n, n)."""
    return np.sign(values[..., :, None] - values[..., None, :])


def _cosine(left: Values, right: Values) -> Values:
    size = np.sqrt((left**2).sum(axis=-1) * (right**2).sum(axis=-1))
    return np.divide((left * right).sum(axis=-1), size, out=np.full(size.shape, np.nan), where=size > 0)
