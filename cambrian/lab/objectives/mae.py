"""Masked autoencoding (He et al., 2022): rebuild the hidden patches of an image from the others.

Shape legend: B images, N patches of 8x8 pixels, V visible ones, C encoder width, D decoder width.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.encoders.base import VisionEncoder, normalize
from cambrian.encoders.layers import Block, grid_positions
from cambrian.encoders.tiny import TinyViT
from cambrian.lab.objectives.base import Objective, Tensors, generator, spread
from cambrian.lab.world import Scene


class MaskedAutoencoder(Objective):
    """The encoder sees a quarter of the patches; a decoder of one block paints the rest.

    Hidden patches are blanked in the image, before the convolutional stem, so that no overlapping kernel lets
    the encoder see them; their tokens then leave the sequence.
    """

    def __init__(self, encoder: TinyViT, *, masked: float, decoder_width: int) -> None:
        super().__init__()
        self.encoder = encoder
        patches = encoder.grid**2
        self.visible = patches - round(masked * patches)
        self.enter = nn.Linear(encoder.width, decoder_width)
        self.hidden = nn.Parameter(torch.zeros(decoder_width))
        self.block = Block(decoder_width, 2, 2)
        self.norm = nn.LayerNorm(decoder_width)
        self.paint = nn.Linear(decoder_width, 3 * encoder.stride**2)

    def trained(self) -> VisionEncoder:
        """Give the encoder without the decoder."""
        return self.encoder

    def prepare(self, scenes: Sequence[Scene], images: Tensor, rng: Random) -> Tensors:
        """Choose the visible patches of each image: `visible`, patch numbers (B, V)."""
        order = generator(rng).random((len(images), self.encoder.grid**2)).argsort(axis=1)
        return {"images": images, "visible": torch.from_numpy(order[:, : self.visible].copy())}

    def reconstruct(self, batch: Tensors) -> tuple[Tensor, Tensor, Tensor]:
        """Painted and true patches (B, N, 192), and the mask (B, N), True where hidden."""
        pixels = normalize(batch["images"])
        visible = batch["visible"]
        side, stride = self.encoder.grid, self.encoder.stride
        hidden = torch.ones(len(pixels), side * side, dtype=torch.bool, device=pixels.device)
        hidden = hidden.scatter(1, visible, torch.zeros_like(visible, dtype=torch.bool))
        tokens = self.encoder.embed(pixels.masked_fill(spread(hidden, stride), 0.0))  # (B, N, C)
        kept = tokens.gather(1, visible[:, :, None].expand(-1, -1, tokens.shape[2]))
        entered = self.enter(self.encoder.encode(kept))  # (B, V, D)
        full = self.hidden.expand(len(pixels), side * side, -1)
        full = full.scatter(1, visible[:, :, None].expand_as(entered), entered)
        full = full + grid_positions(side, full.shape[2]).to(full)
        painted = self.paint(self.norm(self.block(full)))  # (B, N, 192)
        true = F.pixel_unshuffle(pixels, stride).flatten(2).transpose(1, 2)
        return painted, true, hidden

    def loss(self, batch: Tensors) -> Tensor:
        """Mean squared error over the hidden patches alone."""
        painted, true, hidden = self.reconstruct(batch)
        return (painted - true).square().mean(dim=-1)[hidden].mean()

    @torch.no_grad()
    def quality(self, batch: Tensors) -> dict[str, float]:
        """Part of the hidden pixels' variance that the painting explains."""
        painted, true, hidden = self.reconstruct(batch)
        error = (painted - true)[hidden].square().mean()
        return {"explained": (1 - error / true[hidden].var()).item()}
