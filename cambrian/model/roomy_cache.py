"""A cache with room behind what it holds: an answer grows without copying what was read before it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Columns that are added at once when there is none left."""


class RoomyLayer(DynamicLayer):
    """Keys and values (S, heads, T, width) of one layer; forgets nothing."""

    _keys: Tensor | None = None
    """With room behind: (S, heads, T + room, width)."""
    _values: Tensor | None = None

    def update(
        self,
        key_states: Tensor,
        value_states: Tensor,
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> tuple[Tensor, Tensor]:
        """Add columns, and give all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        length = self.get_seq_length()
        self._keys = _extend(self._keys, length, key_states)
        self._values = _extend(self._values, length, value_states)
        return self._show(length + key_states.shape[2])

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Give the layer new tensors, of these rows (S,)."""
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys[beam_idx], self._values[beam_idx]
            self._show(self.get_seq_length())

    def take_columns(self, columns: Tensor) -> None:
        """Keep of each row its `columns` (S, T), in their order."""
        if self._keys is not None and self._values is not None:
            rows = torch.arange(len(columns), device=columns.device)[:, None]
            roomy = F.pad(columns, (0, ROOM))
            self._keys = self._keys.transpose(1, 2)[rows, roomy].transpose(1, 2)
            self._values = self._values.transpose(1, 2)[rows, roomy].transpose(1, 2)
            self._show(columns.shape[1])

    def _show(self, length: int) -> tuple[Tensor, Tensor]:
        assert self._keys is not None
        assert self._values is not None
        self.keys, self.values = self._keys[:, :, :length], self._values[:, :, :length]
        return self.keys, self.values


def _extend(held: Tensor | None, length: int, more: Tensor) -> Tensor:
    """Write `more` behind the first `length` columns, in place if there is room."""
    rows, heads, count, width = more.shape
    if held is None or held.shape[2] < length + count:
        larger = more.new_empty(rows, heads, length + count + ROOM, width)
        if held is not None:
            larger[:, :, :length] = held[:, :, :length]
        held = larger
    held[:, :, length : length + count] = more
    return held
