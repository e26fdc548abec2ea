"""Stable Diffusion's features from a tiny directory in diffusers' format; without it, a clear error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_checkpoints import TEXT, images, shake
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from cambrian.encoders.table import build_encoder, load_encoder, save_encoder
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.errors import UserError

BLOCKS = 4
VAE: dict[str, Any] = {
    "block_out_channels": [8, 8, 16, 16],
    "down_block_types": ["DownEncoderBlock2D"] * BLOCKS,
    "up_block_types": ["UpDecoderBlock2D"] * BLOCKS,
    "layers_per_block": 1,
    "norm_num_groups": 4,
}
UNET: dict[str, Any] = {
    "block_out_channels": [8, 16, 16, 16],
    "attention_head_dim": [2, 2, 2, 2],
    "cross_attention_dim": 32,
    "use_linear_projection": True,
    "norm_num_groups": 4,
    "layers_per_block": 1,
}
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
ARCHITECTURE = {"kind": "diffusers", "resolution": 64, "grid": 4, "vae": VAE, "unet": UNET}


def publish(folder: Path) -> Any:
    """Write a whole tiny model; the parts of diffusers."""
    library: Any = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    library.DDPMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")
    vae, unet = library.AutoencoderKL(**VAE), library.UNet2DConditionModel(**UNET)
    text = CLIPTextModel(CLIPTextConfig(**TEXT))
    for name, part in (("vae", vae), ("unet", unet), ("text_encoder", text)):
        shake(part.eval()).save_pretrained(folder / name)
    (folder / "tokenizer").mkdir()
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder / "tokenizer")
    return vae, unet, text, library.DDPMScheduler(**SCHEDULE)


def adopt(folder: Path) -> TrunkEncoder:
    encoder = build_encoder(ARCHITECTURE).eval()
    assert isinstance(encoder, TrunkEncoder)
    encoder.adopt(folder)
    return encoder


@torch.no_grad()
def test_features_are_those_of_the_libraries_own_parts(tmp_path: Path) -> None:
    vae, unet, text, scheduler = publish(tmp_path / "model")
    encoder: Any = adopt(tmp_path / "model")
    pixels = encoder.normalize(images(2, 64))
    latent = vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor
    noisy = scheduler.add_noise(latent, encoder.noise.expand_as(latent), torch.tensor([250]))
    prompt = text(torch.tensor([[0] + [1] * 76])).last_hidden_state
    found: list[torch.Tensor] = []
    for block in unet.up_blocks:
        block.register_forward_hook(lambda block, inputs, output: found.append(output))
    unet(noisy, 250, encoder_hidden_states=prompt.expand(2, -1, -1))
    resized = [F.interpolate(each, size=(4, 4), mode="bilinear", align_corners=False) for each in found]
    features = encoder(images(2, 64))
    torch.testing.assert_close(features, torch.cat(resized, dim=1).permute(0, 2, 3, 1), atol=1e-5, rtol=1e-5)
    assert features.shape == (2, 4, 4, 56) and encoder.width == 56
    (tmp_path / "ours").mkdir()
    save_encoder(encoder, tmp_path / "ours")
    assert torch.equal(load_encoder(tmp_path / "ours")(images(2, 64)), features)
    assert torch.equal(encoder(images(2, 64)), features)


def test_another_models_parts_are_refused(tmp_path: Path) -> None:
    publish(tmp_path / "model")
    path = tmp_path / "model" / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cross_attention_dim": 768}))
    with pytest.raises(UserError, match="cross_attention_dim is 768, the architecture says 32"):
        adopt(tmp_path / "model")


def test_without_diffusers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UserError, match=r"pip install 'cambrian-sweeps\[diffusion\]'"):
        build_encoder(ARCHITECTURE)
