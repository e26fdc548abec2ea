"""Image files made ready for encoders: decoded once, then padded to a square and resized for each of them.

What happens to images that are not plain RGB is in `read_picture`; what cannot be used is refused with a
reason, so that whoever reads a data set can leave it out and count it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cambrian.errors import BadImageError

MAX_PIXELS = 89_478_485
"""Largest image that is decoded; Pillow takes more for a decompression bomb. In memory it has 268 MB."""
MAX_ASPECT = 100
"""Longer side over the shorter: beyond, an encoder of 384 pixels would see a line of less than four."""
LARGE_SIDE = 4096
"""Images with twice this side are first reduced by a whole number, so that the padded square stays small."""
BACKGROUND = (255, 255, 255)
"""Behind transparent pixels: white, as on the page that such pictures are drawn for."""

_ORIENTATION = 0x0112
"""EXIF tag."""
_TURNED = (5, 6, 7, 8)
"""Its values for a quarter turn, with or without a mirror."""
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


Size = tuple[int, int]
"""Width and height in pixels."""


class View(NamedTuple):
    """How an encoder wants its images."""

    resolution: int
    """Side in pixels."""
    padding: tuple[int, int, int]
    """Red, green and blue of what fills an image up to a square."""


def read_picture(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Decode an image file into upright RGB.

    | given | done |
    |---|---|
    | empty, truncated, damaged, no image | refused |
    | more than `MAX_PIXELS`, sides further apart than `MAX_ASPECT` | refused, before it is decoded |
    | floating-point pixels, whole numbers beyond 16 bits | refused: nothing says what is white |
    | turned by EXIF | turned upright; as stored where the EXIF data are damaged |
    | animated, several pages | the first frame |
    | CMYK, YCbCr, Lab, palette, grey, black and white | converted |
    | 16 bits per channel | the upper 8 |
    | transparent pixels, also in a palette | shown on white |

    Args:
        source: path of the file, or its content.
        name: what a content is called in messages.

    Raises:
        BadImageError: with the path and the reason.
    """
    path = str(source) if isinstance(source, Path) else (name or "an image in memory")
    with _explaining(path):
        content = source.read_bytes() if isinstance(source, Path) else source
    if not content:
        raise BadImageError(path, "is empty")
    with _explaining(path):
        return _decode(path, content)


def read_size(source: Path | bytes, name: str | None = None) -> Size:
    """Width and height of an image file as it will be seen, upright, without decoding it.

    Args:
        source: path of the file, or its content.
        name: what a content is called in messages.

    Raises:
        BadImageError: as in `read_picture`, as far as the head of the file tells.
    """
    path = str(source) if isinstance(source, Path) else (name or "an image in memory")
    with _explaining(path), Image.open(source if isinstance(source, Path) else BytesIO(source)) as image:
        _check_size(path, image.size)
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION, 1) in _TURNED
        return (height, width) if turned else (width, height)


def prepare(image: Image.Image, views: Sequence[View]) -> dict[View, np.ndarray]:
    """Pad a decoded RGB image to a square and resize it for every view: uint8 (R, R, 3) each.

    The image is centred; of an odd number of missing pixels the smaller half comes first. Resizing is bicubic
    with antialiasing, after the padding, as in Cambrian-1.
    """
    factor = max(image.size) // LARGE_SIDE
    if factor > 1:
        image = image.reduce(factor)
    return {view: _square(image, view) for view in dict.fromkeys(views)}


@contextmanager
def _explaining(path: str) -> Iterator[None]:
    """Say of whatever goes wrong with an image which image it is, and why."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes, which are judged here, and of metadata, without which the pixels do.
            warnings.simplefilter("ignore")
            yield
    except UnidentifiedImageError as error:
        raise BadImageError(path, "is no image that Pillow knows") from error
    except Image.DecompressionBombError as error:
        raise BadImageError(path, f"has more than {MAX_PIXELS:,} pixels") from error
    except (BadImageError, MemoryError):
        raise
    except Exception as error:  # whatever Pillow's many decoders raise, it is about this file
        number = error.errno if isinstance(error, OSError) else None
        reason = f"cannot be decoded: {error}" if number is None else f"cannot be read: {os.strerror(number)}"
        raise BadImageError(path, reason) from error


def _square(image: Image.Image, view: View) -> np.ndarray:
    side = max(image.size)
    if image.size != (side, side):
        canvas = Image.new("RGB", (side, side), view.padding)
        canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        image = canvas
    resized = image.resize((view.resolution, view.resolution), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.uint8)


def _decode(path: str, content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    _check_size(path, image.size)
    image.load()
    return _to_rgb(path, ImageOps.exif_transpose(image))


def _check_size(path: str, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise BadImageError(path, f"has {width} x {height} pixels, at most {MAX_PIXELS:,} are decoded")
    if max(size) > MAX_ASPECT * min(size):
        raise BadImageError(path, f"has {width} x {height} pixels: a side over {MAX_ASPECT} times the other")


def _to_rgb(path: str, image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS or image.mode == "I":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise BadImageError(path, "has whole numbers beyond 16 bits as pixels")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        raise BadImageError(path, "has floating-point pixels")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")
