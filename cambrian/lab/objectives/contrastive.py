"""Language supervision: images against texts, by a sigmoid (SigLIP) or a softmax (CLIP).

A text is a few phrases, and image and text are compared phrase by phrase (late interaction, as FILIP, Yao et
al. 2021, does it by word): each phrase looks for the cell of the image that fits it best, and the best fits
are averaged. One vector per image can tell the images of a batch apart by their colours alone and so learns
little else; here every phrase must be found somewhere. Phrases with one word exchanged (after NegCLIP,
Yuksekgonul et al. 2023) are further negatives of their own image, so that each kind of word has to be read,
not only the easiest.

Shape legend: B images, P phrases of a text, n phrases of all texts, K exchanged forms of a phrase, T words,
M cells of an image, E embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.encoders.base import VisionEncoder
from cambrian.lab.objectives.base import Objective, Tensors
from cambrian.lab.objectives.text import PAD, RIVALS, WORDS, Lexicon, TextTower, describe
from cambrian.lab.world import Scene

CELLS = 4
"""Side of the grid of cells that words are looked up in: that of the visual tokens."""
INITIAL_MARGIN_SCALE = 10.0


class Contrast(Objective):
    """What SigLIP and CLIP share: the towers and the similarity."""

    initial_scale: float
    initial_bias: float

    def __init__(self, encoder: VisionEncoder, *, embedding: int, negatives: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.lexicon = Lexicon(WORDS, RIVALS)
        self.negatives = negatives
        self.project = nn.Linear(encoder.width, embedding, bias=False)
        self.text = TextTower(vocabulary=self.lexicon.size, width=64, heads=2, embedding=embedding)
        self.log_scale = nn.Parameter(torch.tensor(self.initial_scale).log())
        self.log_margin_scale = nn.Parameter(torch.tensor(INITIAL_MARGIN_SCALE).log())
        self.bias = nn.Parameter(torch.tensor(self.initial_bias))

    def trained(self) -> VisionEncoder:
        """Give the image tower without the projection."""
        return self.encoder

    def prepare(self, scenes: Sequence[Scene], images: Tensor, rng: Random) -> Tensors:
        """Describe each scene, every phrase followed by its exchanged forms: `words` (B, P, 1 + K, T)."""
        texts = [describe(scene, rng) for scene in scenes]
        return {"images": images, "words": self.lexicon.tensor(texts, self.negatives, rng)}

    def similarities(self, batch: Tensors) -> tuple[Tensor, Tensor]:
        """Logits of images with texts (B, B), and of true phrases over exchanged ones (phrases, K)."""
        features = self.encoder(batch["images"])  # (B, g, g, C)
        cells = F.adaptive_avg_pool2d(features.permute(0, 3, 1, 2), CELLS).flatten(2).transpose(1, 2)
        cells = F.normalize(self.project(cells), dim=-1)  # (B, M, E)
        words = batch["words"]
        real = words[:, :, 0, 0] != PAD  # (B, P)
        forms = self.text(words[real].flatten(0, 1)).unflatten(0, (-1, words.shape[2]))  # (n, 1 + K, E)
        phrases = cells.new_zeros(*real.shape, cells.shape[2])
        phrases[real] = forms[:, 0]
        fits = torch.einsum("bme,cpe->bcpm", cells, phrases).amax(dim=-1) * real  # (B, B, P)
        across = fits.sum(dim=-1) / real.sum(dim=-1)
        image = real.nonzero()[:, 0]  # (n,): whose phrase it is
        own = torch.einsum("nme,nke->nkm", cells[image], forms).amax(dim=-1)  # (n, 1 + K)
        margins = own[:, :1] - own[:, 1:]
        return across * self.log_scale.exp() + self.bias, margins * self.log_margin_scale.exp()

    @torch.no_grad()
    def quality(self, batch: Tensors) -> dict[str, float]:
        """Part of images that pick their text among the batch's, of phrases preferred to exchanged ones."""
        across, margins = self.similarities(batch)
        right = across.argmax(dim=1) == torch.arange(len(across), device=across.device)
        return {"retrieval": right.float().mean().item(), "exchange": (margins > 0).float().mean().item()}


class Siglip(Contrast):
    """Every pair of image and text is a yes-or-no question (Zhai et al., 2023)."""

    initial_scale = 40.0
    initial_bias = -14.0

    def loss(self, batch: Tensors) -> Tensor:
        """Log losses of the pairs summed for each image, and of the preferences over exchanged texts."""
        across, margins = self.similarities(batch)
        sign = 2 * torch.eye(len(across), device=across.device) - 1
        return -F.logsigmoid(sign * across).sum() / len(across) - F.logsigmoid(margins).mean()


class Clip(Contrast):
    """The right text among all, and the right image among all (Radford et al., 2021)."""

    initial_scale = 40.0
    initial_bias = 0.0

    def loss(self, batch: Tensors) -> Tensor:
        """Mean of the cross-entropies of both directions, and that of a text among its exchanged ones."""
        across, margins = self.similarities(batch)
        target = torch.arange(len(across), device=across.device)
        both = (F.cross_entropy(across, target) + F.cross_entropy(across.T, target)) / 2
        return both + F.pad(-margins, (1, 0)).logsumexp(dim=1).mean()
