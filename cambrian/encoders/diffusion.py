"""Stable Diffusion as an encoder: what its U-Net knows of a slightly noisy image.

After the feature extraction of Cambrian-1 (the four up-blocks at step 250), but with one fixed draw of noise
and the mean of the VAE's latent, so that an image has one feature; the released code draws both anew.

Shape legend: B images, R resolution in pixels, s side of a feature map, C channels.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from cambrian.encoders.checkpoints import read_json
from cambrian.encoders.trunk import TrunkEncoder, TrunkShape, check_keys
from cambrian.errors import UserError

TRAINING_STEPS = 1000
PROMPT_TOKENS = 77
DOWNSAMPLING = 8
"""Pixels of the image per cell of the latent."""


@dataclass(frozen=True, kw_only=True)
class DiffusionShape(TrunkShape):
    """Settings of a latent diffusion model."""

    unet: Mapping[str, Any]
    """Configuration of the U-Net, as in unet/config.json; defaults may be left out."""
    vae: Mapping[str, Any]
    """Configuration of the autoencoder, as in vae/config.json."""
    betas: tuple[float, float] = (0.00085, 0.012)
    """Ends of the noise schedule, which is linear in their roots."""
    step: int = 250
    """Of the noise that is added, from 0 to 999."""


class DiffusionEncoder(TrunkEncoder):
    """VAE and U-Net of a latent diffusion model; the outputs of all up-blocks, resized and joined."""

    shape = DiffusionShape

    def __init__(self, shape: DiffusionShape, architecture: Mapping[str, Any]) -> None:
        if shape.layer != -1 or shape.norm is not None:
            raise UserError("a diffusion encoder joins all its up-blocks: layer and norm cannot be chosen")
        parts = _library()
        vae = parts.AutoencoderKL.from_config(dict(shape.vae))
        unet = parts.UNet2DConditionModel.from_config(dict(shape.unet))
        width = sum(unet.config.block_out_channels)
        half = (0.5, 0.5, 0.5)
        super().__init__(shape, architecture, width=width, mean=shape.mean or half, std=shape.std or half)
        del vae.decoder, vae.post_quant_conv
        unet.conv_norm_out, unet.conv_out = None, nn.Identity()
        self.vae, self.unet = vae, unet
        self.step, self.betas, self.signal = shape.step, shape.betas, _signal(shape)
        side = shape.resolution // DOWNSAMPLING
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(1, vae.config.latent_channels, side, side, generator=generator, device="cpu")
        self.noise: Tensor
        self.prompt: Tensor
        self.register_buffer("noise", noise)
        self.register_buffer("prompt", torch.zeros(1, PROMPT_TOKENS, unet.config.cross_attention_dim))

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Feature maps (B, C, s, s) of normalised `pixels` (B, 3, R, R), from all up-blocks."""
        latent = (
            self.vae.encode(pixels).latent_dist.mode() * self.vae.config.scaling_factor
        )  # (B, 4, R/8, R/8)
        noisy = self.signal**0.5 * latent + (1 - self.signal) ** 0.5 * self.noise
        found: list[Tensor] = []

        def keep(block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            found.append(output)

        hooks = [block.register_forward_hook(keep) for block in self.unet.up_blocks]
        try:
            self.unet(noisy, self.step, encoder_hidden_states=self.prompt.expand(len(pixels), -1, -1))
        finally:
            for hook in hooks:
                hook.remove()
        return found

    def block_groups(self) -> list[list[nn.Module]]:
        """Blocks of the U-Net: down, middle, up. The autoencoder is before all of them."""
        blocks = [*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks]
        return [[block] for block in blocks]

    def adopt(self, source: Path) -> None:
        """Take over a directory in diffusers' format, and compute the text of an empty prompt once.

        Raises:
            UserError: if its parts have other settings, or weights are missing or none of this model's.
        """
        library = _library()
        betas = ("beta_start", "beta_end")
        schedule = dict(zip(betas, self.betas, strict=True)) | {"beta_schedule": "scaled_linear"}
        _check_settings(source / "scheduler" / "scheduler_config.json", schedule)
        for name, kind, own in (
            ("vae", library.AutoencoderKL, self.vae),
            ("unet", library.UNet2DConditionModel, self.unet),
        ):
            _check_settings(source / name / "config.json", self.architecture[name])
            whole, report = kind.from_pretrained(
                source,
                subfolder=name,
                local_files_only=True,
                low_cpu_mem_usage=False,
                torch_dtype=torch.float32,
                output_loading_info=True,
            )
            missing, unexpected = report["missing_keys"], report["unexpected_keys"]
            check_keys(f"the {name} of {source.name}", missing=missing, unexpected=unexpected)
            state = whole.state_dict()
            own.load_state_dict({key: state[key] for key in own.state_dict()})
        self.prompt.copy_(_empty_prompt(source))


def _signal(shape: DiffusionShape) -> float:
    """Share of the image's variance that is left after `step` steps of noise."""
    first, last = (beta**0.5 for beta in shape.betas)
    roots = [first + (last - first) * step / (TRAINING_STEPS - 1) for step in range(shape.step + 1)]
    return math.prod(1 - root**2 for root in roots)


@torch.no_grad()
def _empty_prompt(source: Path) -> Tensor:
    """What the text encoder says about nothing, (1, PROMPT_TOKENS, C)."""
    tokenizer = CLIPTokenizer.from_pretrained(source / "tokenizer", local_files_only=True)
    text = CLIPTextModel.from_pretrained(source / "text_encoder", local_files_only=True, dtype=torch.float32)
    tokens = tokenizer(
        "", padding="max_length", max_length=PROMPT_TOKENS, truncation=True, return_tensors="pt"
    )
    return text.eval()(tokens["input_ids"]).last_hidden_state


def _check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a part that was made with other settings than the architecture says."""
    given = read_json(path)
    faults = [
        f"{name} is {given.get(name)!r}, the architecture says {value!r}"
        for name, value in settings.items()
        if given.get(name) != value
    ]
    if faults:
        raise UserError(f"{path.parent.name}/{path.name} is that of another model: {'; '.join(faults)}")


def _library() -> Any:  # noqa: ANN401 - a module
    """Import diffusers, an optional dependency.

    Raises:
        UserError: if it is not installed.
    """
    try:
        return importlib.import_module("diffusers")
    except ImportError as error:
        raise UserError(
            "the encoder 'diffusion' needs the package diffusers: pip install 'cambrian-sweeps[diffusion]'"
        ) from error
