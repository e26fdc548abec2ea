"""Features of frozen encoders, kept on disk so that stages that share encoders and images compute them once.

A file of rows, one for each image of a data set, and beside it a checksum for each row that is there. Any
number of processes read and write them at the same time, on one disk: equal rows have equal content, and a
row that was not written wholly has the wrong checksum, so that it is computed again.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cambrian.encoders.base import VisionEncoder

_PRESENT = 1 << 32
"""Added to the CRC-32 of a row that is there, so that none is 0."""


class FeatureFile:
    """What one frozen encoder makes of `count` images: (g, g, C) each."""

    def __init__(self, folder: Path, *, count: int, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
        """Open the file for these features in `folder`, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self._shape = shape
        self._dtype = dtype
        width = int(np.prod(shape)) * dtype.itemsize
        name = f"{'x'.join(map(str, shape))}-{str(dtype).removeprefix('torch.')}-{count}"
        self._rows = _map(folder / f"{name}.rows", np.uint8, (count, width))
        self._sums = _map(folder / f"{name}.sums", np.uint64, (count,))

    def read(self, images: Sequence[int]) -> Tensor | None:
        """Give the features (B, g, g, C) of `images`; None if one of them is not there."""
        rows = np.empty((len(images), self._rows.shape[1]), np.uint8)
        for place, image in enumerate(images):
            rows[place] = self._rows[image]
            if self._sums[image] != _checksum(rows[place]):
                return None
        return torch.from_numpy(rows).view(self._dtype).view(len(images), *self._shape)

    def write(self, images: Sequence[int], features: Tensor) -> None:
        """Keep the features (B, g, g, C) of `images`."""
        assert features.dtype == self._dtype, (features.dtype, self._dtype)
        assert features.shape == (len(images), *self._shape), (features.shape, self._shape)
        rows = features.contiguous().view(len(images), -1).view(torch.uint8).cpu().numpy()
        for image, row in zip(images, rows, strict=True):
            self._rows[image] = row
            self._sums[image] = _checksum(row)


class KeptFeatures:
    """The features of all encoders of a model."""

    def __init__(
        self, encoders: Sequence[VisionEncoder], folders: Sequence[Path], *, count: int, dtype: torch.dtype
    ) -> None:
        """Open a file for each of `encoders` in its own of `folders`, for `count` images."""
        self._dtype = dtype
        self._files = [
            FeatureFile(folder, count=count, shape=(encoder.grid, encoder.grid, encoder.width), dtype=dtype)
            for encoder, folder in zip(encoders, folders, strict=True)
        ]

    def read(self, images: Sequence[int]) -> tuple[Tensor, ...] | None:
        """Give the features (B, g, g, C) of every encoder; None if any is not there."""
        found: list[Tensor] = []
        for file in self._files:
            features = file.read(images)
            if features is None:
                return None
            found.append(features)
        return tuple(found)

    def keep(self, images: Sequence[int], features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Keep what the encoders made of `images`, and give it as it will be read."""
        rounded = tuple(each.to(self._dtype) for each in features)
        for file, each in zip(self._files, rounded, strict=True):
            file.write(images, each)
        return rounded


def _checksum(row: np.ndarray) -> int:
    return _PRESENT | zlib.crc32(row.data)


def _map(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> np.memmap:
    """Map a file into memory; a new one is empty space that takes no room on the disk yet."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    with path.open("ab") as file:
        if file.tell() != size:
            file.truncate(size)
    return np.memmap(path, kind, "r+", shape=shape)
