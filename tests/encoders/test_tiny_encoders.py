from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cambrian.encoders.base import normalize
from cambrian.encoders.layers import grid_positions
from cambrian.encoders.table import build_encoder, load_encoder, save_encoder
from cambrian.encoders.tiny import TinyViT
from cambrian.errors import UserError

VIT: dict[str, Any] = {
    "kind": "vit",
    "resolution": 64,
    "width": 32,
    "depth": 2,
    "heads": 2,
    "expansion": 2,
    "stem": 16,
}
CONVNET: dict[str, Any] = {
    "kind": "convnet",
    "resolution": 128,
    "width": 32,
    "depths": [1, 1],
    "kernel": 5,
    "expansion": 2,
}
PIXELS: dict[str, Any] = {"kind": "pixels", "resolution": 64, "patch": 8}


def _images(count: int, resolution: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, resolution, resolution, 3), generator=generator, dtype=torch.uint8)


def _build(architecture: dict[str, Any], seed: int = 0):
    torch.manual_seed(seed)
    return build_encoder(architecture).eval()


@pytest.mark.parametrize(
    ("architecture", "resolution", "grid", "width"),
    [(VIT, 64, 8, 32), (CONVNET, 128, 16, 32), (PIXELS, 64, 8, 192)],
    ids=["vit", "convnet", "pixels"],
)
def test_grid_width_and_type(architecture: dict[str, Any], resolution: int, grid: int, width: int):
    encoder = _build(architecture)
    assert (encoder.resolution, encoder.grid, encoder.width) == (resolution, grid, width)
    features = encoder(_images(3, resolution))
    assert features.shape == (3, grid, grid, width)
    assert features.dtype == torch.float32 and features.isfinite().all()


@pytest.mark.parametrize("architecture", [VIT, CONVNET], ids=["vit", "convnet"])
def test_seed_decides_weights_and_batch_does_not_matter(architecture: dict[str, Any]):
    images = _images(4, architecture["resolution"])
    first, again, other = _build(architecture), _build(architecture), _build(architecture, seed=1)
    assert torch.equal(first(images), again(images))
    assert not torch.allclose(first(images), other(images))
    torch.testing.assert_close(first(images)[2:3], first(images[2:3]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", [VIT, CONVNET, PIXELS], ids=["vit", "convnet", "pixels"])
def test_save_and_load_give_the_same_features(architecture: dict[str, Any], tmp_path: Path):
    encoder = _build(architecture)
    save_encoder(encoder, tmp_path)
    loaded = load_encoder(tmp_path)
    images = _images(2, encoder.resolution)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    assert loaded.architecture == architecture and not loaded.training
    assert torch.equal(encoder(images), loaded(images))


def test_features_lie_where_the_pixels_are():
    # The image's upper right quarter alone is bright: so are those patches of the control.
    images = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    images[:, :32, 32:] = 255
    features = _build(PIXELS)(images)[0]  # (8, 8, 192)
    assert (features[:4, 4:] == 1).all()
    assert (features[4:] == -1).all() and (features[:, :4] == -1).all()


def test_raw_patches_keep_every_pixel():
    images = _images(2, 64)
    patch = _build(PIXELS)(images)[1, 2, 5]  # channels outermost, then rows, then columns
    expected = images[1, 16:24, 40:48].permute(2, 0, 1).flatten().float() / 127.5 - 1
    torch.testing.assert_close(patch, expected)


def test_a_change_outside_its_neighbourhood_does_not_reach_a_convnet_feature():
    images = _images(1, 128)
    changed = images.clone()
    changed[:, :, 96:] = 0
    encoder = _build(CONVNET)
    assert torch.equal(encoder(images)[:, :, :4], encoder(changed)[:, :, :4])
    assert not torch.allclose(encoder(images)[:, :, 13:], encoder(changed)[:, :, 13:])


def test_pixels_are_normalised_to_one():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1).expand(1, 2, 2, 3)
    pixels = normalize(images)
    assert pixels.shape == (1, 3, 2, 2)
    assert pixels.min() == -1 and pixels.max() == 1


def test_positions_differ_and_are_rows_and_columns():
    positions = grid_positions(8, 16)
    assert positions.unique(dim=0).shape == (64, 16)
    grid = positions.view(8, 8, 16)
    assert torch.equal(grid[3, :, :8], grid[3, :1, :8].expand(8, 8))
    assert torch.equal(grid[:, 5, 8:], grid[:1, 5, 8:].expand(8, 8))


def test_vit_takes_smaller_crops():
    encoder = _build(VIT)
    assert isinstance(encoder, TinyViT)
    assert encoder.features(torch.zeros(2, 3, 32, 32)).shape == (2, 4, 4, 32)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({**VIT, "kind": "vitt"}, "did you mean 'vit'"),
        ({"resolution": 64}, "unknown encoder architecture 'None'"),
        ({**VIT, "widht": 3}, "did you mean 'width'"),
        ({name: VIT[name] for name in VIT if name != "heads"}, "lacks heads"),
    ],
    ids=["kind", "no kind", "unknown size", "missing size"],
)
def test_faulty_architectures_are_named(architecture: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        build_encoder(architecture)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 64, 64, 3),
        torch.zeros(1, 32, 32, 3, dtype=torch.uint8),
        torch.zeros(1, 3, 64, 64, dtype=torch.uint8),
    ],
    ids=["float", "resolution", "channels first"],
)
def test_wrong_images_are_refused(images: torch.Tensor):
    with pytest.raises(ValueError, match="images must be"):
        _build(VIT)(images)


def test_loading_from_an_empty_directory_says_what_is_missing(tmp_path: Path):
    with pytest.raises(UserError, match=r"config\.json is missing"):
        load_encoder(tmp_path)
