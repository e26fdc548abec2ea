"""Finding copies of images: by difference hash, then confirmed on small pictures.

A difference hash says of neighbouring points of a tiny grey picture which one is brighter, so it survives
re-encoding and resizing. Pages and charts, which are mostly white, have similar hashes without being copies;
therefore each candidate is looked at again, in relation to its own contrast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

SIDE = 8
"""Comparisons along a side: 64 of neighbours beside, 64 of neighbours below."""
WORDS = 2
"""64-bit words of a hash."""
NEAR_BITS = 12
"""Differing bits, of 128, up to which two images are candidates; unrelated ones differ in 64 on average."""
THUMBNAIL = 16
"""Side of the pictures on which candidates are confirmed."""
SAME = 0.25
"""Largest root mean square difference of two thumbnails, in units of their contrast, for copies."""
FLAT = 2.0
"""Contrast, a standard deviation of grey levels, below which an image shows nothing to know it by."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Two images of which one is a copy of the other."""

    first: int
    """Number among the images that were searched."""
    second: int
    """Number among those that were looked for."""
    bits: int
    """In which their hashes differ."""


def hash_image(image: Image.Image) -> np.ndarray:
    """Difference hash of an RGB image: (2,) uint64, left and right, then above and below."""
    grey = np.asarray(image.convert("L").resize((SIDE + 1, SIDE + 1), Image.Resampling.BILINEAR))
    beside = grey[:SIDE, 1:] > grey[:SIDE, :-1]
    below = grey[1:, :SIDE] > grey[:-1, :SIDE]
    return np.packbits(np.stack([beside, below]).reshape(WORDS, -1), axis=1).view(np.uint64).reshape(WORDS)


def candidates(searched: np.ndarray, wanted: np.ndarray) -> Iterator[Copy]:
    """Pairs whose hashes nearly agree, by what is looked for and then by nearness.

    Args:
        searched: (n, 2) uint64.
        wanted: (m, 2) uint64.
    """
    for second, one in enumerate(wanted):
        bits = np.bitwise_count(searched ^ one).sum(axis=1)
        near = np.flatnonzero(bits <= NEAR_BITS)
        for first in near[np.argsort(bits[near], kind="stable")].tolist():
            yield Copy(first=first, second=second, bits=int(bits[first]))


def are_copies(one: Image.Image, other: Image.Image) -> bool:
    """Say whether two RGB images show the same; never of images that show nothing."""
    first, second = (_thumbnail(image) for image in (one, other))
    contrast = min(float(first.std()), float(second.std()))
    if contrast < FLAT:
        return False
    return float(np.sqrt(np.mean((first - second) ** 2))) <= SAME * contrast


def _thumbnail(image: Image.Image) -> np.ndarray:
    small = image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float64)
