"""The text of a vectors file, with visual tokens spliced into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.connectors.base import Connector, VisualTokens
from cambrian.model.splice import Spliced, splice, visual_rows
from cambrian.reference.vectors import Vectors

PLACEHOLDER = -200
"""Token id that stands for an image in the release."""

IGNORED = -100
"""Label of positions without supervision."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """Token rows with every placeholder expanded, padded on the right: all (S, T)."""

    ids: Tensor
    labels: Tensor
    attention: Tensor
    placeholder: Tensor


def expand(ids: Tensor, labels: Tensor, attention: Tensor, counts: Sequence[int]) -> Text:
    """Expand every placeholder in token rows (S, T) to its image's number of positions."""
    remaining = iter(counts)
    rows: list[tuple[Tensor, Tensor]] = []
    for row, row_labels, attended in zip(ids, labels, attention.bool(), strict=True):
        tokens = row[attended]
        image = tokens == PLACEHOLDER
        times = torch.ones_like(tokens)
        times[image] = torch.tensor([next(remaining) for _ in range(int(image.sum()))], dtype=times.dtype)
        marked = torch.where(image, IGNORED, row_labels[attended])
        rows.append((tokens.repeat_interleave(times), marked.repeat_interleave(times)))
    length = max(len(tokens) for tokens, _ in rows)
    padded = torch.stack([F.pad(tokens, (0, length - len(tokens))) for tokens, _ in rows])
    targets = torch.stack([F.pad(marked, (0, length - len(marked)), value=IGNORED) for _, marked in rows])
    lengths = torch.tensor([len(tokens) for tokens, _ in rows])
    return Text(
        ids=padded.clamp(min=0),
        labels=targets,
        attention=torch.arange(length) < lengths[:, None],
        placeholder=padded == PLACEHOLDER,
    )


def spliced_text(
    vectors: Vectors, connector: Connector, visual: VisualTokens, table: Tensor
) -> tuple[Text, Spliced]:
    """Splice the visual tokens into a file's text, embedded by `table` (V, H); padding is zero."""
    rows = visual_rows(visual.tokens, visual.keep, visual.keep_rows, connector.newline)
    ids = vectors["in.input_ids"]
    attention = vectors["in.attention_mask"] if "in.attention_mask" in vectors else torch.ones_like(ids)
    text = expand(ids, vectors["in.labels"], attention, rows.counts.tolist())
    embedded = F.embedding(text.ids, table) * text.attention[..., None]
    return text, splice(embedded, text.placeholder, rows)
