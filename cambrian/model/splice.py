"""Put visual tokens where the text has placeholders for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class VisualRows:
    """Embeddings of all images' positions, one image after the other."""

    rows: Tensor
    """(P, H), grid row by grid row, each followed by its newline if there is one."""
    is_newline: Tensor
    """(P,) bool."""
    counts: Tensor
    """(B,) positions of each image; they sum to P."""


@dataclass(frozen=True, kw_only=True)
class Spliced:
    """Embeddings of S samples of T positions."""

    embeddings: Tensor
    """(S, T, H)."""
    visual: Tensor
    """(S, T) bool, visual tokens without newlines, in the order of `VisualRows`."""
    newline: Tensor
    """(S, T) bool."""


def visual_rows(
    tokens: Tensor, keep: Tensor | None, keep_rows: Tensor | None, newline: Tensor | None
) -> VisualRows:
    """Drop the border, end each kept row of the grid with a newline, and line all images up.

    `tokens` is (B, L, L, H), `keep` (B, L, L), `keep_rows` (B, L), `newline` (H,); None keeps all, or means
    that rows have no end mark.
    """
    batch, side, _, width = tokens.shape
    every = torch.ones(tokens.shape[:3], dtype=torch.bool, device=tokens.device)
    keep = every if keep is None else keep
    keep_rows = every[:, :, 0] if keep_rows is None else keep_rows
    ends = torch.zeros_like(keep)
    if newline is not None:
        column = newline.to(tokens.dtype).expand(batch, side, 1, width)
        tokens = torch.cat([tokens, column], dim=2)  # (B, L, L + 1, H)
        keep = torch.cat([keep, keep_rows[:, :, None]], dim=2)  # (B, L, L + 1)
        ends = torch.zeros_like(keep)
        ends[:, :, -1] = True
    return VisualRows(rows=tokens[keep], is_newline=ends[keep], counts=keep.sum(dim=(1, 2)))


def splice(embeddings: Tensor, placeholder: Tensor, rows: VisualRows) -> Spliced:
    """Replace the embeddings (S, T, H) of placeholders (S, T) bool by visual rows, in order.

    Samples without placeholders are text only and stay as they are.

    Raises:
        ValueError: if a sample's placeholders and its image's positions differ in number.
    """
    wanted = placeholder.sum(dim=1)
    given = rows.counts[rows.counts > 0]  # an extremely long image has no position at all
    if wanted[wanted > 0].tolist() != given.tolist():
        raise ValueError(
            f"samples have {wanted.tolist()} image placeholders, but the images take {rows.counts.tolist()} "
            "positions; expand each placeholder to the number that visual_positions gives"
        )
    target = placeholder[..., None]
    visual = torch.zeros_like(placeholder)
    newline = torch.zeros_like(placeholder)
    newline[placeholder] = rows.is_newline
    visual[placeholder] = ~rows.is_newline
    spliced = embeddings.masked_scatter(target, rows.rows.to(embeddings.dtype))
    return Spliced(embeddings=spliced, visual=visual, newline=newline)
