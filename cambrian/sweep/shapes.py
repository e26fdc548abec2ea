"""Sizes of the real LLMs and vision encoders: what the cost of a run is derived from.

Parameters are counted from the layers, and a test holds them against the published numbers. FLOPs count a
multiplication and an addition as two, and only matrix products, convolutions and attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

from cambrian.errors import UserError
from cambrian.schema import read


@dataclass(frozen=True, kw_only=True)
class Llm:
    """A decoder with grouped-query attention, rotary positions and a gated MLP, without biases."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool = False
    """Whether the head shares its weights with the embedding."""
    head: int = 0
    """Width of one head; 0 where all together have the width of the LLM."""

    @cached_property
    def query_width(self) -> int:
        """Width of all queries of one token."""
        return self.heads * (self.head or self.hidden // self.heads)

    @cached_property
    def key_value_width(self) -> int:
        """Width of all keys of one token."""
        return self.query_width // self.heads * self.key_value_heads

    @cached_property
    def layer_matrix(self) -> int:
        """Parameters of one layer that multiply every token."""
        attention = 2 * self.hidden * (self.query_width + self.key_value_width)
        return attention + 3 * self.hidden * self.intermediate

    @cached_property
    def head_matrix(self) -> int:
        """Parameters of the head, and of the embedding."""
        return self.vocabulary * self.hidden

    @cached_property
    def parameters(self) -> int:
        """All parameters, the layers' two norms and the last one included."""
        tables = self.head_matrix * (1 if self.tied else 2)
        return self.layers * (self.layer_matrix + 2 * self.hidden) + tables + self.hidden

    @cached_property
    def saved_values(self) -> int:
        """Values per token that one layer keeps for its backward pass, with fused attention.

        In H: its input, both norms' outputs, queries before and after rotation, attention's output, the
        residual sum; keys twice and values once; four of the gated MLP.
        """
        return 7 * self.hidden + 3 * self.key_value_width + 4 * self.intermediate


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A vision encoder: what it costs for one image."""

    name: str
    parameters: int
    flops: int
    """Of one forward pass."""
    width: int
    """Channels of its features."""
    grid: int
    """Side of its own feature grid."""
    visual_tokens: int
    """Tokens that it gives the LLM when it is the only encoder (the paper's catalog of backbones)."""
    block_inputs: int
    """Values kept by a backward pass that recomputes every block: all blocks' inputs."""
    saved_values: int
    """Values kept by a backward pass that recomputes nothing."""
    largest_block: int
    """Values that are alive at once inside the widest block."""
    blocks: tuple[int, ...]
    """Blocks of each layer that can give the features: one, or those of a stage."""


def vit(
    name: str,
    *,
    layers: int,
    width: int,
    hidden: int,
    patch: int,
    resolution: int,
    visual_tokens: int,
    class_token: bool = True,
    gated: bool = False,
    extra: int = 0,
    window: int = 0,
    global_layers: int = 0,
) -> Encoder:
    """Count a plain vision transformer.

    Args:
        gated: the MLP has a gate, three matrices in place of two.
        extra: parameters beside patches, positions and blocks, such as a pooling head.
        window: side of the windows to which attention is confined in all but `global_layers` layers; the grid
            is padded to whole windows. 0: all attention is global.
    """
    grid = resolution // patch
    tokens = grid * grid + class_token
    matrix = 4 * width**2 + (3 if gated else 2) * width * hidden
    block = matrix + 9 * width + hidden * (2 if gated else 1)  # biases and two norms
    positions = tokens * width + class_token * width
    pairs, idle = layers * tokens**2, 0
    if window:
        windowed, padded = layers - global_layers, (-(-grid // window) * window) ** 2
        pairs = global_layers * tokens**2 + windowed * padded * window**2
        idle = windowed * (padded - tokens) * 4 * width**2  # padding goes through attention's matrices
    saved = tokens * (8 * width + (4 if gated else 2) * hidden)
    return Encoder(
        name=name,
        parameters=layers * block + positions + (3 * patch**2 + 1) * width + 2 * width + extra,
        flops=2 * (tokens * layers * matrix + idle + grid**2 * 3 * patch**2 * width + 2 * pairs * width),
        width=width,
        grid=grid,
        visual_tokens=visual_tokens,
        block_inputs=layers * tokens * width,
        saved_values=layers * saved,
        largest_block=saved,
        blocks=(1,) * layers,
    )


def convnext(
    name: str, *, depths: tuple[int, ...], widths: tuple[int, ...], resolution: int, visual_tokens: int
) -> Encoder:
    """Count a ConvNeXt trunk: blocks of a depthwise 7x7 convolution and an MLP of ratio 4."""
    parameters = 49 * widths[0] + 2 * widths[0]  # stem 4x4x3 with bias, norm
    cells = (resolution // 4) ** 2
    multiplications = 48 * widths[0] * cells
    inputs = saved = largest = 0
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            cells //= 4
            parameters += 2 * widths[stage - 1] + 4 * widths[stage - 1] * width + width
            multiplications += 4 * widths[stage - 1] * width * cells
        parameters += depth * (8 * width**2 + 49 * width + 9 * width)  # biases 6, norm 2, layer scale 1
        multiplications += depth * cells * (8 * width**2 + 49 * width)
        inputs += depth * cells * width
        saved += depth * cells * 12 * width  # input, convolution, norm, 4 + 4 of the MLP, its output
        largest = max(largest, cells * 12 * width)
    return Encoder(
        name=name,
        parameters=parameters + 2 * widths[-1],
        flops=2 * multiplications,
        width=widths[-1],
        grid=resolution // 32,
        visual_tokens=visual_tokens,
        block_inputs=inputs,
        saved_values=saved,
        largest_block=largest,
        blocks=depths,
    )


def read_llm(architecture: Mapping[str, Any]) -> Llm:
    """Take the sizes of an LLM from that part of its configuration.

    Raises:
        UserError: naming what is missing or no number.
    """
    names = {field.name for field in fields(Llm)}
    faults: list[str] = []
    sizes = {name: value for name, value in architecture.items() if name in names}
    found = read(Llm, sizes, "llm.architecture", faults)
    if found is None:
        raise UserError("; ".join(faults))
    return found


_base = partial(vit, layers=12, width=768, hidden=3072)
_large = partial(vit, layers=24, width=1024, hidden=4096)
_huge = partial(vit, layers=32, width=1280, hidden=5120)
_so400m = partial(vit, layers=27, width=1152, hidden=4304)
_eva = partial(vit, layers=24, width=1024, hidden=2730, gated=True)
_convnext_l = partial(convnext, depths=(3, 3, 27, 3), widths=(192, 384, 768, 1536))
_convnext_xxl = partial(convnext, depths=(3, 4, 30, 3), widths=(384, 768, 1536, 3072))


def _pooling_head(width: int, hidden: int) -> int:
    """Count SigLIP's attention pooling: a query, its four projections and an MLP."""
    return 4 * width**2 + 2 * width * hidden + 9 * width + hidden


def _sam_neck(width: int, layers: int, head: int, grid: int = 64, window: int = 14) -> int:
    """Count SAM's neck (1x1 and 3x3 convolutions, two norms) and its relative positions."""
    axes = 2 * head * (4 * (2 * grid - 1) + (layers - 4) * (2 * window - 1))
    return 256 * width + 9 * 256**2 + 4 * 256 + axes


_DIFFUSION = Encoder(
    # Stable Diffusion 2.1 at 512 x 512: the VAE's encoder (34M parameters; its convolutions, 128 to 512
    # channels at 512 to 64 pixels, add up to 559 G multiplications), then the U-Net (866M; 339 G, counted for
    # the same architecture in version 1.4 by the authors of BK-SDM, Nota-NetsPresso/BK-SDM#53). The text of
    # an empty prompt is a constant. What the blocks keep is a guess: the released code never trains it.
    name="diffusion",
    parameters=900_000_000,
    flops=2 * (339 + 559) * 10**9,
    width=3520,
    grid=32,
    visual_tokens=1024,
    block_inputs=100_000_000,
    saved_values=2_000_000_000,
    largest_block=3 * 128 * 512**2,
    blocks=(9,),
)

ENCODERS = {
    encoder.name: encoder
    for encoder in (
        _large("clip", patch=14, resolution=336, visual_tokens=576),
        _large("dfn_clip_l", patch=14, resolution=224, visual_tokens=256),
        _huge("dfn_clip_h", patch=14, resolution=378, visual_tokens=729),
        _eva("eva_clip", patch=14, resolution=336, visual_tokens=576),
        _large(
            "siglip_l",
            patch=16,
            resolution=384,
            visual_tokens=576,
            class_token=False,
            extra=_pooling_head(1024, 4096),
        ),
        _so400m(
            "siglip",
            patch=14,
            resolution=384,
            visual_tokens=729,
            class_token=False,
            extra=_pooling_head(1152, 4304),
        ),
        _convnext_l("convnext_l_512", resolution=512, visual_tokens=576),
        _convnext_l("convnext_l", resolution=1024, visual_tokens=576),
        _convnext_xxl("convnext", resolution=1024, visual_tokens=576),
        _large("dinov2", patch=14, resolution=336, visual_tokens=576),
        _large("dinov2_518", patch=14, resolution=518, visual_tokens=576),
        _base("moco_v3_b", patch=16, resolution=224, visual_tokens=196),
        _large("moco_v3_l", patch=16, resolution=224, visual_tokens=196),
        _large("mae", patch=16, resolution=224, visual_tokens=196),
        _huge("mae_h", patch=14, resolution=224, visual_tokens=256),
        _huge("ijepa", patch=14, resolution=224, visual_tokens=256, class_token=False),
        _large(
            "sam",
            patch=16,
            resolution=1024,
            visual_tokens=576,
            class_token=False,
            window=14,
            global_layers=4,
            extra=_sam_neck(1024, 24, 64),
        ),
        _huge(
            "sam_h",
            patch=16,
            resolution=1024,
            visual_tokens=576,
            class_token=False,
            window=14,
            global_layers=4,
            extra=_sam_neck(1280, 32, 80),
        ),
        # MiDaS without its depth head, which features do not need.
        _large("midas", patch=16, resolution=384, visual_tokens=576),
        _large("midas_518", patch=16, resolution=518, visual_tokens=1024),
        _DIFFUSION,
        _large("supvit_l", patch=16, resolution=224, visual_tokens=196),
        _huge("supvit_h", patch=14, resolution=224, visual_tokens=256),
    )
}
"""The paper's 23 vision encoders, by name."""
